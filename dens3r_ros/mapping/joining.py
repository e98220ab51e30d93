# SPDX-License-Identifier: Apache-2.0
"""How a further camera enters the map that the first one has begun."""

from __future__ import annotations

import numpy as np

from dens3r_ros.mapping.graph.graph import Edge, rigid
from dens3r_ros.mapping.step import Step
from dens3r_ros.mapping.streams.stream import Stream
from dens3r_ros.mapping.tracking.cameras import fit_camera
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.observation import Observation, observe
from dens3r_ros.mapping.tracking.track import Track
from dens3r_ros.mapping.tracking.tracker import track
from dens3r_ros.mapping.world import World

_TOGETHER_NS = 110_000_000
"""Frames of two cameras this close in time are taken from one place."""
_MOUNTING = np.diag([0.02**2] * 3 + [0.01**2] * 3 + [0.02**2])
"""Covariance of given extrinsics together with the motion between two stamps."""


def join(
    step: Step,
    name: str | None,
    owner: Stream | None,
    last: Step | None,
    world: World,
    frame_number: int,
) -> tuple[Keyframe, Observation, Track] | str:
    """The frame's place: by what it sees of the map, else by the camera's mounting beside the
    owner of this `name`, whose `last` frame has a place; or a reason.

    The mounting alone serves where lengths are metres; otherwise the unit of the map is not known
    in metres, and the camera waits until it sees something of the map.
    """
    if owner is None or owner.keyframe_id is None:
        return f"waiting for camera {name}, which owns odom"
    recent = [keyframe.id for keyframe in world.window][::-1]
    among = world.beside(owner.keyframe_id)
    placed = world.loops.relocalise(step.features, step.view, recent[:3], among)
    if placed is not None:
        keyframe, found, seen = placed
        return world.bring_back(keyframe), seen, found
    T_owner_camera = world.parts.config.cameras.extrinsics.get(step.frame.camera)
    if T_owner_camera is None:
        return f"camera {step.frame.camera} sees nothing of the map, and its place is not given"
    if not (world.parts.metric and world.parts.engine.info.monocular):
        return f"camera {step.frame.camera} sees nothing of the map yet"
    if last is None or abs(step.frame.stamp - last.frame.stamp) > _TOGETHER_NS:
        return f"waiting for frames of {owner.name} and {step.frame.camera} at the same time"
    return _mounted(step, owner, T_owner_camera, world, frame_number)


def _mounted(
    step: Step, owner: Stream, T_owner_camera: np.ndarray, world: World, frame_number: int
) -> tuple[Keyframe, Observation, Track] | str:
    """A keyframe of the frame alone, tied to the owner's keyframe by the extrinsics."""
    assert owner.keyframe_id is not None
    seen = observe(world.parts.engine, [(step.features, step.features)], normals=True)[0]
    step.stream.estimate.add(fit_camera(seen.frame_points, seen.frame_confidence))
    made = world.parts.maker.from_points(
        world.next_id, step.features, step.view, seen.frame_points, seen.frame_confidence, 1.0
    )
    S_owner_camera = owner.T_keyframe_frame @ rigid(T_owner_camera)
    world.begin(made, world.pose(owner.keyframe_id) @ S_owner_camera)
    world.graph.add_edges([Edge(owner.keyframe_id, made.id, S_owner_camera, _MOUNTING)])
    world.backend.ask(frame_number)
    step.made_keyframe(made.id)
    found = track(seen, step.view, made, np.eye(4), world.parts.config.tracking, metric=True)
    return found if isinstance(found, str) else (made, seen, found)
