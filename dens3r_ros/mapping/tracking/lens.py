# SPDX-License-Identifier: Apache-2.0
"""A lens that nobody gave, learned where two views lie far apart, for engines that see better with
one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from dens3r_ros.engines.protocol import Engine, Features
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.tracking.cameras import CameraEstimate, at_input, fit_camera
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.observation import Observation, observe

_EARLY = 5
"""Pairs that must have told the lens before it is believed for a start."""
_APART = 3
"""Pairs of a frame and the keyframe that it left from which on only such are believed."""
_DOUBT = 0.03
"""Standard deviation of the logarithm of its focal length up to which it is."""
_MOVED = 0.015
"""Change of that logarithm from which on everybody is told anew."""
WIDE = 0.05
"""Radians between two views' rays from which on they tell something of their lens."""


class LensEstimate:
    """What is believed of one camera's lens; `known` at the size of its images."""

    def __init__(self) -> None:
        self.known: Intrinsics | None = None
        self._early, self._apart = CameraEstimate(), CameraEstimate()

    def apply(self, frame: Frame) -> Frame:
        """The frame with the lens, if it is known and the frame brings none."""
        known = self.known
        if known is None or frame.intrinsics is not None:
            return frame
        fits = (known.height, known.width) == frame.size
        return replace(frame, intrinsics=known) if fits else frame

    def learn(self, seen: Intrinsics | None, features: Features, apart: bool) -> Intrinsics | None:
        """Take in what one more pair showed of it, at the engine's pixels; the lens there if it is
        believed to be another one than before."""
        (self._apart if apart else self._early).add(seen)
        enough = self._apart.count >= _APART
        estimate = self._apart if enough else self._early
        current = estimate.current
        if current is None or not (enough or estimate.count >= _EARLY) or estimate.doubt > _DOUBT:
            return None
        lens = at_input(current, features.placement)
        if self.known is not None and abs(np.log(lens.fx / self.known.fx)) < _MOVED:
            return None
        self.known = lens
        return current


def learn_from_pair(
    lens: LensEstimate,
    frame: Features,
    keyframe: Keyframe,
    seen: Observation,
    live: Iterable[Keyframe],
) -> None:
    """Take in what a pair, decoded without a lens, shows of it; what is learned is told to the
    keyframes that are live."""
    before = lens.known
    fitted = fit_camera(seen.frame_points, seen.frame_confidence)
    learned = lens.learn(fitted, frame, apart=before is not None)
    if learned is None:
        return
    for one in live:
        bare = replace(one.features.frame, intrinsics=None)
        if bare.camera == keyframe.camera_name and one.features.frame.intrinsics in (None, before):
            one.pin(lens.apply(bare), learned)


def learn_from_last_pair(
    engine: Engine, lens: LensEstimate, frame: Features, left: Keyframe, live: Iterable[Keyframe]
) -> Iterator[None]:
    """A chore once a frame has left a keyframe for good, the widest base there will be: see what
    the two show of their lens by themselves."""
    yield
    seen = observe(engine, [(_bare(frame), _bare(left.features))])[0]
    learn_from_pair(lens, frame, left, seen, live)


def _bare(features: Features) -> Features:
    return replace(features, intrinsics=None)
