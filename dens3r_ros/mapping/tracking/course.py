# SPDX-License-Identifier: Apache-2.0
"""One camera between decodings: what it is tracked against, and where it is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import cv2
import numpy as np

from dens3r_ros.engines.preprocess import resample
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.tracking.fast_tracker import Placed, place
from dens3r_ros.mapping.tracking.motion import Motion
from dens3r_ros.mapping.tracking.reference import Reference

_KEPT = 30
"""Frames without a place that are kept, to be placed once it is known where they were."""


@dataclass(eq=False)
class Course:
    """A camera's way, frame by frame."""

    owner: bool
    """Whether its camera owns `odom`."""
    config: TrackingConfig
    reference: Reference | None = None
    motion: Motion = field(default_factory=Motion)
    lost: int = 0
    """Frames since it was placed last."""
    number: int = 0
    """Of the last frame, all cameras counted together."""
    decoded: int = 0
    """The same of the last one that was decoded."""
    wants: bool = False
    """Whether the last frame was worth decoding."""
    unplaced: deque[Frame] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def place(self, frame: Frame) -> Placed | str:
        """Find the frame's place; a reason where that cannot be done."""
        found = self._tried(frame)
        if isinstance(found, Placed):
            self.lost = 0
            self.motion.place(frame.stamp, found.T_keyframe_frame, found.found)
            self.unplaced.clear()
        else:
            self.lost += 1
            self.motion.halt()
            self.unplaced.append(frame)
        return found

    def _tried(self, frame: Frame) -> Placed | str:
        reference = self.reference
        if reference is None:
            return "there is no keyframe yet"
        if frame.size != reference.sight.placement.original:
            return "the size of the images has changed"
        grey = grey_of(frame, reference)
        expected = self.motion.predicted(frame.stamp)
        return place(grey, reference, self.motion, expected, self.config)

    def go_on(self, reference: Reference, S_new_old: np.ndarray | None) -> None:
        """Be tracked against something newer; S_new_old (4, 4) takes the old keyframe's points to
        its frame and unit."""
        if S_new_old is not None:
            self.motion.rebase(S_new_old)
        self.reference = reference

    def resume(self, reference: Reference, frame: Frame) -> list[tuple[Frame, Placed]]:
        """Go on after a loss from a frame that was found again; the frames that lay waiting before
        and after it are placed from there, as far as they can be."""
        waiting = sorted(self.unplaced, key=lambda one: one.stamp)
        self.reference, self.lost = reference, 0
        back = self._along(frame, [one for one in waiting[::-1] if one.stamp < frame.stamp])
        forth = self._along(frame, [one for one in waiting if one.stamp > frame.stamp])
        self.unplaced.clear()
        return back + forth

    def _along(self, start: Frame, frames: list[Frame]) -> list[tuple[Frame, Placed]]:
        """Frames placed one from the other, beginning with the neighbour of a known one."""
        assert self.reference is not None
        self.motion = Motion()
        self.motion.place(start.stamp, self.reference.T_keyframe_frame, None)
        placed = []
        for frame in frames:
            found = self._tried(frame)
            if isinstance(found, str):
                break
            self.motion.place(frame.stamp, found.T_keyframe_frame, found.found)
            placed.append((frame, found))
        return placed


def grey_of(frame: Frame, reference: Reference) -> np.ndarray:
    """(h, w) uint8: the frame on the engine's pixels."""
    return cv2.cvtColor(resample(frame.image, reference.sight.placement), cv2.COLOR_RGB2GRAY)
