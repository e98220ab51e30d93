# SPDX-License-Identifier: Apache-2.0
"""Keyframes that are looked at together with a frame and its own keyframe, by engines of many
views: which they are, where the frame lies against each, and what that gives the map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dens3r_ros.engines.protocol import Engine, WindowEngine
from dens3r_ros.geometry import tangents
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.graph.graph import PoseGraph, rigid
from dens3r_ros.mapping.keyframes.keyframing import KeyframeMaker
from dens3r_ros.mapping.keyframes.linking import Link, expected_overlap, tracked_link
from dens3r_ros.mapping.keyframes.window import Window
from dens3r_ros.mapping.step import Companion, Step
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.observation import Observation, observe_together
from dens3r_ros.mapping.tracking.track import Track
from dens3r_ros.mapping.tracking.tracker import track

_OVERLAP = 0.25
"""Share of a keyframe's points that the frame must have in view."""
_WIDE = 0.15
"""Distance between two views, as a share of the scene's depth, beyond which more tells no more."""
_APART = 0.05
"""Turn in radians, and shift as a share of the depth, by which a frame's two places may differ."""


class Company:
    """Looks at frames together with what lies around them, and makes of it what pairs give: points
    that are folded in, and links."""

    def __init__(
        self, engine: Engine, config: MapperConfig, metric: bool, maker: KeyframeMaker
    ) -> None:
        self._engine, self._config, self._metric, self._maker = engine, config, metric, maker
        self._most = most_beside(engine, config)

    def look(self, step: Step, keyframe: Keyframe, window: Window, graph: PoseGraph) -> Observation:
        """Decode a frame with its keyframe, and with others that see the same, which it has then
        beside it."""
        beside: list[Keyframe] = []
        if self._most and step.features.placement.size == keyframe.features.placement.size:
            expected = step.stream.T_keyframe_frame
            camera = step.view.camera
            beside = companions(keyframe, camera, expected, window, graph, self._most)
        shown = [keyframe.features, *(one.features for one in beside)]
        step.lead_to(keyframe, self._config.tracking)
        seen, *others = observe_together(self._engine, step.features, shown, normals=True)
        step.beside = [Companion(*pair) for pair in zip(beside, others, strict=True)]
        return seen

    def fold(
        self,
        step: Step,
        keyframe: Keyframe,
        seen: Observation,
        found: Track,
        window: Window,
        graph: PoseGraph,
    ) -> None:
        """Take what a frame with a place shows into its keyframe and into those beside it, as far
        as it is found where the graph expects it there."""
        stamp = step.frame.stamp
        self._maker.fold(keyframe, seen, found, step.view, stamp, guided=True)
        keyframe.tracked(found)
        placed = []
        for other in (one for one in step.beside if one.keyframe.id in window):
            S = graph.relative(other.keyframe.id, keyframe.id)
            expected = rigid(S @ found.T_keyframe_frame)
            there = track(
                other.seen, step.view, other.keyframe, expected, self._config.tracking, self._metric
            )
            if isinstance(there, Track) and _near(there, expected, other.keyframe):
                self._maker.fold(other.keyframe, other.seen, there, step.view, stamp)
                other.keyframe.tracked(there)
                placed.append(replace(other, found=there))
        step.beside = placed

    def links(self, step: Step, made: Keyframe, window: Window) -> list[Link]:
        """From the keyframes beside a frame to the one that was made of it."""
        least = self._config.graph.min_overlap
        return [
            tracked_link(one.found, False, one.keyframe, made, self._metric)
            for one in step.beside
            if one.keyframe.id in window and one.found is not None and one.found.matched >= least
        ]


def most_beside(engine: Engine, config: MapperConfig) -> int:
    """Keyframes beside a frame and its own that the engine looks at."""
    return min(config.window.views, engine.info.views - 2) if takes_windows(engine) else 0


def takes_windows(engine: Engine) -> bool:
    """Whether an engine looks at more than two views together."""
    return engine.info.views > 2 and isinstance(engine, WindowEngine)


def companions(
    keyframe: Keyframe,
    camera: Intrinsics,
    T_keyframe_frame: np.ndarray,
    window: Window,
    graph: PoseGraph,
    most: int,
) -> list[Keyframe]:
    """Other keyframes of the window that see what the frame sees from elsewhere, best first.

    Each is worth its overlap with the frame, times its distance from the views that are there
    already, up to `_WIDE`: one that stands where another does tells little more.
    """
    places = {}
    for other in window:
        if (
            other.id != keyframe.id
            and other.features.placement.size == keyframe.features.placement.size
        ):
            S = graph.relative(keyframe.id, other.id)
            overlap = expected_overlap(other, camera, np.linalg.inv(S) @ T_keyframe_frame)
            if overlap >= _OVERLAP:
                places[other.id] = overlap, S[:3, 3]
    taken = [np.zeros(3), T_keyframe_frame[:3, 3]]
    depth = keyframe.canonical.median_depth
    chosen: list[Keyframe] = []
    while places and len(chosen) < most:
        worth = {
            i: overlap * min(1.0, _nearest(place, taken) / (_WIDE * depth))
            for i, (overlap, place) in places.items()
        }
        best = max(worth, key=lambda i: (worth[i], i))
        chosen.append(window[best])
        taken.append(places.pop(best)[1])
    return chosen


def _nearest(place: np.ndarray, others: Sequence[np.ndarray]) -> float:
    return min(float(np.linalg.norm(place - other)) for other in others)


def _near(found: Track, expected: np.ndarray, keyframe: Keyframe) -> bool:
    off = tangents.log(np.linalg.inv(expected) @ found.T_keyframe_frame)
    depth = keyframe.canonical.median_depth
    return bool(np.linalg.norm(off[:3]) < _APART * depth and np.linalg.norm(off[3:6]) < _APART)
