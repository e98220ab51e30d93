# SPDX-License-Identifier: Apache-2.0
"""Keyframes whose place tracking alone knows, and their depth by a frame beside them: where a
camera turns away faster than pairs with the last keyframe can follow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.graph.graph import Edge
from dens3r_ros.mapping.keyframes.keyframing import KeyframeMaker
from dens3r_ros.mapping.keyframes.linking import unsure
from dens3r_ros.mapping.step import Step
from dens3r_ros.mapping.tracking.depth.guided_depth import guided_depth
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.observation import Observation, ViewMaps, observe
from dens3r_ros.mapping.tracking.track import Sightings, Track
from dens3r_ros.mapping.tracking.tracker import View
from dens3r_ros.mapping.world import World

_LEAST = 0.05
"""Share of a keyframe's pixels whose depth must be known for anything to be tracked against it."""
_POOR = 0.3
"""The same below which a frame beside it is asked."""


def known_share(keyframe: Keyframe, config: TrackingConfig) -> float:
    """Share of a keyframe's pixels whose depth is known."""
    return float((keyframe.canonical.confidence[::4, ::4] > config.min_confidence).mean())


def standing_by_tracking(step: Step, keyframe: Keyframe, world: World) -> Keyframe | None:
    """A keyframe made of a frame at the place that tracking knows, tied to its own one; None where
    its depth does not show."""
    told = step.by_tracking
    if told is None or not step.view.calibrated:
        return None
    parts, T = world.parts, step.stream.T_keyframe_frame
    place = step.features, step.view, keyframe, T
    made = parts.maker.from_place(world.next_id, *place)
    fill(step, made, np.linalg.inv(T), parts.engine, parts.maker)
    if known_share(made, parts.config.tracking) < _LEAST:
        return None
    edge = Edge(keyframe.id, made.id, T, unsure(told.covariance))
    world.grow_by_place(made, keyframe, edge)
    return made


def fill(
    step: Step, made: Keyframe, T_made_keyframe: np.ndarray, engine: Engine, maker: KeyframeMaker
) -> None:
    """Give a keyframe that was made of a frame, and of which little is known, the depth that the
    frame beside it shows."""
    told = step.by_tracking
    if told is None or not step.view.calibrated or known_share(made, maker.tracking) > _POOR:
        return
    other = replace(told.elsewhere, intrinsics=step.frame.intrinsics)
    features = engine.encode([step.stream.lens.apply(other)])[0]
    camera, calibrated = step.stream.camera_for(features)
    seen = observe(engine, [(features, made.features)])[0]
    T = T_made_keyframe @ told.T_keyframe_elsewhere
    found = _placed(T, made, maker.tracking.image_error)
    depth = guided_depth(seen, found, View(camera, calibrated, None), made)
    if depth is not None:
        maker.fill(made, *depth, features.frame.stamp)


def own_maps(made: Keyframe) -> Observation:
    """A keyframe's points as what is seen of its frame."""
    maps = ViewMaps(made.canonical.points.copy(), made.canonical.confidence)
    return Observation(False, False, made.size, lambda: maps, lambda: maps)


def _placed(T_made_elsewhere: np.ndarray, made: Keyframe, error: tuple[float, float]) -> Track:
    """The other frame, as if it had been tracked against the keyframe."""
    depth = made.canonical.median_depth
    covariance = np.diag([(error[0] * depth) ** 2] * 3 + [error[1] ** 2] * 3)
    nothing = Sightings(np.zeros((0, 2), int), np.zeros((0, 3)), np.zeros(0), 1.0)
    parallax = float(np.linalg.norm(T_made_elsewhere[:3, 3])) / depth
    T = T_made_elsewhere
    return Track(T, T, None, covariance, 1.0, 1.0, parallax, nothing, None)
