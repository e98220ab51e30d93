# SPDX-License-Identifier: Apache-2.0
"""A first pass over the inputs that finds what moves, and the engine for the second."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dens3r_ros.engines.moving.attention import masks_by_attention
from dens3r_ros.engines.moving.flow import masks_by_flow
from dens3r_ros.engines.moving.masks import MovingMasks
from dens3r_ros.engines.moving.network import masks_by_network
from dens3r_ros.engines.moving.second_pass import MaskedAttention, WithoutMovers
from dens3r_ros.engines.protocol import Engine, MotionTellingEngine
from dens3r_ros.engines.torch_engine import TorchEngine
from dens3r_ros.frame import Frame
from dens3r_ros.reconstruction.kept.mapped import RunTally
from dens3r_ros.reconstruction.pipeline.options import MOVING, Options
from dens3r_ros.reconstruction.pipeline.reading import Tell
from dens3r_ros.reconstruction.pipeline.stopping import StopRequest
from dens3r_ros.reconstruction.pipeline.taking import Picker
from dens3r_ros.sources.inputs import Input, Unreadable


class MovingUnavailable(ValueError):
    """What moves cannot be found so; the message says why."""


class StoppedLooking(RuntimeError):
    """A person asked to stop before the second pass began."""


def check_moving(options: Options, engine: Engine, inputs: Sequence[Input]) -> None:
    """MovingUnavailable where what moves cannot be found as it was asked for."""
    if options.moving == "off":
        return
    if options.moving not in MOVING:
        raise MovingUnavailable(f"moving {options.moving!r} is none of {', '.join(MOVING)}")
    if options.mode == "photos":
        raise MovingUnavailable("--moving is for --mode video: photos in any order do not tell")
    if any(one.total is None for one in inputs):
        raise MovingUnavailable("--moving reads its images twice, which a live camera cannot give")
    if options.moving == "attention" and not isinstance(engine, TorchEngine):
        raise MovingUnavailable(
            f"--moving attention needs a network of the DUSt3R layout, and engine"
            f" {engine.info.name} has no attention between two images: --moving flow works with it"
        )
    if options.moving == "network" and not isinstance(engine, MotionTellingEngine):
        raise MovingUnavailable(
            f"--moving network needs a network that tells what moves, as DAS3R does, and"
            f" {engine.info.model or engine.info.name} does not: --moving flow works with it"
        )


class FirstPass:
    """Looks at all images of all inputs once; what was found is kept in a file, for a run that
    goes on."""

    def __init__(
        self, inputs: Sequence[Input], options: Options, stop: StopRequest, kept: Path
    ) -> None:
        self._inputs, self._options, self._stop = inputs, options, stop
        self._kept = kept

    def second(self, engine: Engine, tally: RunTally, tell: Tell) -> Engine:
        """The engine of the second pass; StoppedLooking where there is to be none."""
        began = time.monotonic()
        masks = self._masks(engine, tell)
        tally.spend("what moves", time.monotonic() - began)
        tally.notes.append(
            f"{masks.share:.1%} of the pixels move by {self._options.moving}, and were left out"
        )
        if self._options.moving == "attention":
            assert isinstance(engine, TorchEngine)
            return MaskedAttention(engine, masks)
        return WithoutMovers(engine, masks)

    def _masks(self, engine: Engine, tell: Tell) -> MovingMasks:
        if self._kept.is_file():
            return MovingMasks.load(self._kept)
        whole = MovingMasks()
        for one in self._inputs:
            whole.update(self._looked(engine, self._frames(one, tell)))
        whole.save(self._kept)
        return whole

    def _looked(self, engine: Engine, frames: Iterator[Frame]) -> MovingMasks:
        if self._options.moving == "attention":
            assert isinstance(engine, TorchEngine)
            return masks_by_attention(engine, frames)
        if self._options.moving == "network":
            assert isinstance(engine, MotionTellingEngine)
            return masks_by_network(engine, frames)
        return masks_by_flow(engine, frames)

    def _frames(self, one: Input, tell: Tell) -> Iterator[Frame]:
        for index, taken in one.frames(Picker(self._options.picks)):
            if self._stop.taking:
                raise StoppedLooking("stopped before it was known what moves: begin anew")
            if not isinstance(taken, Unreadable):
                yield taken
            tell(index + 1, one.total, "")
