# SPDX-License-Identifier: Apache-2.0
"""The first keyframe: from one frame where the engine can, else from two with parallax."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from dens3r_ros.engines.protocol import Engine, Features
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.config import MapperConfig, TrackingConfig
from dens3r_ros.mapping.history.record import Record
from dens3r_ros.mapping.keyframes.first_motion import Glimpse, first_motion
from dens3r_ros.mapping.keyframes.keyframing import KeyframeMaker
from dens3r_ros.mapping.keyframes.proving import Proving
from dens3r_ros.mapping.step import Step
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.observation import Observation, observe
from dens3r_ros.mapping.tracking.track import Track
from dens3r_ros.mapping.tracking.tracker import View, track

_MIN_KNOWN = 0.05
"""Share of pixels with confident depth that a first keyframe needs."""
_MOST_WAITING = 30
"""Frames remembered for later while there is no keyframe."""
_MOST_GLIMPSES = 8
"""Of them, those looked at for what moves."""
_PATIENCE_S = 2.0
"""Seconds after which a map begins with whatever it can, borne out or not."""
_WATCHING = "watching whether what the map would begin with stands still"


@dataclass(frozen=True, eq=False)
class Waiting:
    """A frame that came before there was a keyframe."""

    features: Features
    view: View

    def knowing(self, motion: np.ndarray | None) -> Waiting:
        """The same, once it is known what moves in it."""
        return Waiting(replace(self.features, moving=motion), replace(self.view, motion=motion))


@dataclass(frozen=True, eq=False)
class First:
    """A first keyframe, and the frame that was placed against it (itself, if it stands alone)."""

    keyframe: Keyframe
    seen: Observation
    found: Track | None
    """None where the frame is the keyframe."""
    waiting: list[Waiting]
    """Older frames that can be placed against it too."""


def placed_waiting(
    first: First, engine: Engine, config: TrackingConfig, epoch: int
) -> Iterator[Record]:
    """The frames that came before there was a keyframe, as far as they find a place, and the one
    that has become it, unless that is the frame at hand."""
    keyframe = first.keyframe
    if first.found is not None:
        yield Record.of(keyframe.features.frame, keyframe.id, np.eye(4), epoch)
    for waiting in first.waiting:
        seen = observe(engine, [(waiting.features, keyframe.features)])[0]
        found = track(seen, waiting.view, keyframe, None, config)
        if isinstance(found, Track):
            T = found.T_keyframe_frame
            yield Record.of(waiting.features.frame, keyframe.id, T, epoch)


class Initialiser:
    """Collects frames until one of them can be a keyframe."""

    def __init__(self, engine: Engine, maker: KeyframeMaker, config: MapperConfig) -> None:
        self._engine = engine
        self._maker = maker
        self._config = config
        self._waiting: list[Waiting] = []
        self._proving: Proving | None = None
        self._since: int | None = None
        """When there was something to begin with for the first time."""

    def wait(self, features: Features, view: View) -> None:
        """Only remember a frame, for when one is offered."""
        self._waiting.append(Waiting(features, view))
        del self._waiting[:-_MOST_WAITING]

    def offer(self, step: Step, keyframe_id: int) -> First | str:
        """Try to begin with a step's frame, and a keyframe of this id; a reason where that is not
        yet possible."""
        features, view = step.features, step.view
        if self._engine.info.monocular:
            return self._alone(features, view, keyframe_id)
        if step.begin_with is not None:
            self._waiting = [self._earlier(step, step.begin_with)]
        reason = "waiting for a second frame"
        if self._waiting:
            now = Waiting(features, view)
            first = self._proved(now)
            if first is None:
                first = self._with_parallax(now, keyframe_id)
                if not isinstance(first, str) and self._config.motion.enabled:
                    first = self._without_movers(first, now, keyframe_id)
                    first = self._to_be_proved(first, now)
            if not isinstance(first, str):
                self._waiting.clear()
                return first
            reason = first
        self.wait(features, view)
        return reason

    def _to_be_proved(self, first: First | str, now: Waiting) -> First | str:
        """What a map could begin with, once there is no time left to see whether it moves."""
        if isinstance(first, str):
            return first
        stamp = now.features.frame.stamp
        self._since = stamp if self._since is None else self._since
        if stamp - self._since > _PATIENCE_S * 1e9:
            return first
        self._proving = Proving(first.keyframe, stamp)
        return _WATCHING

    def _proved(self, now: Waiting) -> First | str | None:
        """What is to be proved, once one more frame has borne it out; None if there is nothing, or
        the frame speaks against it."""
        if self._proving is None:
            return None
        keyframe = self._proving.keyframe
        pair = now.features, keyframe.features
        seen = observe(self._engine, [pair], normals=True)[0]
        found = track(seen, now.view, keyframe, None, self._config.tracking)
        stamp = now.features.frame.stamp
        proved = self._proving.ask(seen, found, stamp)
        if proved is None:
            if isinstance(found, Track):
                self._maker.fold(keyframe, seen, found, now.view, stamp, guided=True)
                keyframe.tracked(found)
            return _WATCHING
        self._proving = None
        if not proved or isinstance(found, str):
            del self._waiting[: len(self._waiting) // 2]
            return None
        others = [one for one in self._waiting if one.features.frame.stamp != keyframe.stamp]
        return First(keyframe, seen, found, others)

    def _earlier(self, step: Step, frame: Frame) -> Waiting:
        """A frame of the same camera, as if it had been offered when it came."""
        frame = replace(frame, intrinsics=step.frame.intrinsics)
        features = self._engine.encode([step.stream.lens.apply(frame)])[0]
        return Waiting(features, step.stream.earlier_view(features))

    def _alone(self, features: Features, view: View, keyframe_id: int) -> First | str:
        seen = observe(self._engine, [(features, features)], normals=True)[0]
        known = self._known(seen.frame_confidence)
        if known < _MIN_KNOWN:
            return f"the engine is sure of the depth of only {known:.0%} of the first frame"
        points, confidence = seen.frame_points, seen.frame_confidence
        made = self._maker.from_points(keyframe_id, features, view, points, confidence, 1.0)
        waiting, self._waiting = self._waiting, []
        return First(made, seen, None, waiting)

    def _without_movers(self, first: First, now: Waiting, keyframe_id: int) -> First | str:
        """Begin anew without what moves, once it can be told what does."""
        if first.found is None or self._waiting[0].view.motion is not None:
            return first
        frames = [*self._glimpses(first), self._glimpse(now, first.found)]
        in_keyframe, in_frame = first_motion(first.keyframe, frames, self._config.motion)
        self._waiting[0] = self._waiting[0].knowing(in_keyframe)
        return self._with_parallax(now.knowing(in_frame), keyframe_id)

    def _glimpses(self, first: First) -> Iterator[Glimpse]:
        for waiting in self._waiting[1 :: max(1, len(self._waiting) // _MOST_GLIMPSES)]:
            pair = waiting.features, first.keyframe.features
            seen = observe(self._engine, [pair])[0]
            found = track(seen, waiting.view, first.keyframe, None, self._config.tracking)
            if isinstance(found, Track):
                yield self._glimpse(waiting, found)

    @staticmethod
    def _glimpse(waiting: Waiting, found: Track) -> Glimpse:
        stamp = waiting.features.frame.stamp
        return Glimpse(waiting.view, found.T_keyframe_frame, stamp)

    def _with_parallax(self, now: Waiting, keyframe_id: int) -> First | str:
        oldest, features, view = self._waiting[0], now.features, now.view
        apart = observe(self._engine, [(oldest.features, features)])[0]
        known = self._known(apart.frame_confidence)
        if known < _MIN_KNOWN:
            self._give_up_on_lost(apart)
            return f"waiting for parallax: depth of {known:.0%} of the view is known"
        made = self._maker.from_points(
            keyframe_id,
            oldest.features,
            oldest.view,
            apart.frame_points,
            apart.frame_confidence,
            1.0,
        )
        seen = observe(self._engine, [(features, oldest.features)], normals=True)[0]
        found = track(seen, view, made, None, self._config.tracking)
        if isinstance(found, str):
            return f"waiting for parallax: {found}"
        if found.parallax < self._config.keyframes.min_parallax:
            return f"waiting for parallax: {np.rad2deg(found.parallax):.1f} degrees so far"
        return First(made, seen, found, self._waiting[1:])

    def _give_up_on_lost(self, apart: Observation) -> None:
        """Start from a newer frame once the oldest has gone out of sight: the one half way, since a
        camera may turn away from all of them."""
        if apart.pixels_confidence is None:
            return
        if self._known(apart.pixels_confidence) < self._config.loops.min_overlap:
            del self._waiting[: (len(self._waiting) + 1) // 2]

    def _known(self, confidence: np.ndarray) -> float:
        return float((confidence > self._config.tracking.min_confidence).mean())
