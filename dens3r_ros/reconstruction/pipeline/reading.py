# SPDX-License-Identifier: Apache-2.0
"""All images of all inputs through the mapper, with checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from dens3r_ros.frame import Frame
from dens3r_ros.reconstruction.pipeline.checkpoint import Checkpoints, RunProgress
from dens3r_ros.reconstruction.pipeline.mapping_run import MappingRun, timed
from dens3r_ros.reconstruction.pipeline.options import Picks
from dens3r_ros.reconstruction.pipeline.stopping import StopRequest
from dens3r_ros.reconstruction.pipeline.taking import Picker
from dens3r_ros.sources.inputs import Input, Unreadable

GAP_NS = 1_000_000_000
"""Between the last image of an input and the first of the next, where its stamps began anew."""

Tell = Callable[[float, float | None, str], None]


class Reading:
    """Feeds inputs, one after the other, into a mapping run; goes on where `progress` says."""

    def __init__(
        self,
        inputs: Sequence[Input],
        run: MappingRun,
        picks: Picks,
        checkpoints: Checkpoints,
        progress: RunProgress,
    ) -> None:
        self._inputs, self._run, self._picks = inputs, run, picks
        self._checkpoints, self._progress = checkpoints, progress
        self._began = time.monotonic()
        self._here = 0

    def all(self, stop: StopRequest, tell: Tell) -> None:
        """Take images until there are no more, or somebody asked to stop."""
        for part in range(self._progress.part, len(self._inputs)):
            if self._one(part, stop, tell):
                return

    def _one(self, part: int, stop: StopRequest, tell: Tell) -> bool:
        """One input; whether it was stopped before its end."""
        given = self._inputs[part]
        picker = self._picker(part)
        for index, taken in timed(given.frames(picker), self._run.tally.spend):
            if isinstance(taken, Frame):
                taken = self._later(taken)
                if taken.stamp <= self._progress.last_stamp and self._progress.last_stamp:
                    reason = "stamps that go back, or stand still"
                    taken = Unreadable(index, reason)
                else:
                    self._progress = replace(self._progress, last_stamp=taken.stamp)
            update = self._run.take(taken)
            self._here += 1
            self._progress = replace(
                self._progress, next_index=index + 1, origin=picker.origin, tally=self._run.tally
            )
            self._say(given, index, update, tell)
            if self._checkpoints.due:
                self._checkpoints.write(self._run, self._progress)
            if stop.taking:
                self._checkpoints.write(self._run, self._progress)
                return True
        return False

    def _picker(self, part: int) -> Picker:
        goes_on = part == self._progress.part and self._progress.next_index > 0
        if goes_on:
            return Picker(self._picks, self._progress.next_index, self._progress.origin)
        self._progress = replace(self._progress, part=part, next_index=0, origin=None)
        self._fresh = True
        return Picker(self._picks)

    _fresh = False

    def _later(self, frame: Frame) -> Frame:
        """Its stamp after those of the inputs before."""
        if self._fresh:
            self._fresh = False
            last = self._progress.last_stamp
            begins_anew = bool(last) and frame.stamp <= last
            offset = last + GAP_NS - frame.stamp if begins_anew else 0
            self._progress = replace(self._progress, offset=offset)
        if not self._progress.offset:
            return frame
        return replace(frame, stamp=frame.stamp + self._progress.offset)

    def _say(self, given: Input, index: int, update: Any, tell: Tell) -> None:
        passed = max(time.monotonic() - self._began, 1e-9)
        note = f"{self._here / passed:.1f} images/s"
        if update is not None:
            keyframes = update.counters.keyframes
            note = f"{update.state.value}, {keyframes} keyframes, {note}"
        tell(index + 1, given.total, note)


def described(inputs: Sequence[Input]) -> Iterator[str]:
    """What there is to say of the inputs before they are read."""
    for one in inputs:
        count = "until stopped" if one.total is None else f"{one.total} images"
        yield f"{one.name}: {count}" + "".join(f"; {note}" for note in one.notes)
