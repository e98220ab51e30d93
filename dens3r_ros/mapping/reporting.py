# SPDX-License-Identifier: Apache-2.0
"""Updates and keyframe views as others see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dens3r_ros.engines.preprocess import resample
from dens3r_ros.mapping.graph.graph import PoseGraph, rigid, scale_of
from dens3r_ros.mapping.interfaces import Shown
from dens3r_ros.mapping.maps import Maps
from dens3r_ros.mapping.motion.weights import share_moving
from dens3r_ros.mapping.step import Step
from dens3r_ros.mapping.streams.odometry import Odometry, in_map
from dens3r_ros.mapping.tracking.cameras import camera_rays
from dens3r_ros.mapping.tracking.depth.fusion import carried
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.observation import ViewMaps
from dens3r_ros.mapping.update import Counters, KeyframeView, Tracking, Update, place_reason
from dens3r_ros.mapping.world import World


def report(
    step: Step,
    odometry: Odometry,
    world: World,
    totals: Counters,
    levelled_by: str,
) -> Update:
    """The update of one step; the solver's notice is taken for it."""
    graph = world.graph
    tracked = step.state is Tracking.TRACKING
    stream, keyframe_id = step.stream, step.stream.keyframe_id
    T_map_camera = T_odom_camera = None
    scale = unit = 1.0
    if tracked and keyframe_id is not None:
        S = graph.poses[keyframe_id]
        T_map_camera = in_map(S, stream.T_keyframe_frame)
        T_odom_camera = np.linalg.inv(odometry.T_map_odom) @ T_map_camera
    if odometry.keyframe_id is not None:
        scale = odometry.scale(graph.poses[odometry.keyframe_id])
    if keyframe_id is not None:
        unit = scale * scale_of(graph.poses[keyframe_id])
    dynamic = share_moving(step.motion) if tracked else 0.0
    return Update(
        state=step.state,
        stamp=step.frame.stamp,
        camera=step.frame.camera,
        T_odom_camera=T_odom_camera,
        T_map_camera=T_map_camera,
        T_map_odom=odometry.T_map_odom,
        covariance=_covariance(step, unit) if tracked else None,
        motion_seen=odometry.measured,
        keyframe_made=step.keyframe_made,
        keyframe_id=keyframe_id,
        piece=None if keyframe_id is None else graph.pieces[keyframe_id],
        epoch=odometry.epoch,
        scale=scale,
        T_keyframe_camera=stream.T_keyframe_frame.copy() if tracked else None,
        keyframe_unit=unit,
        metric=world.parts.metric and world.parts.engine.info.metric,
        maps=_maps(step, unit, world) if tracked else None,
        intrinsics=stream.intrinsics,
        intrinsics_estimated=step.frame.intrinsics is None,
        matched=step.found.matched if step.found else float(tracked),
        reason=place_reason(totals.pieces, dynamic) if tracked else step.reason,
        timings=dict(step.watch.milliseconds),
        computed=dict(step.watch.computed),
        counters=totals,
        levelled_by=levelled_by,
        dynamic=dynamic,
        notice=world.backend.take_notice(),
    )


def counters(world: World, frames: int, lost: int) -> Counters:
    """Running totals, after so many frames of which so many were lost."""
    return Counters(
        frames=frames,
        decoded=frames,
        tracked=len(world.records),
        lost=lost,
        keyframes=world.next_id,
        keyframes_in_window=len(world.window),
        keyframes_in_archive=len(world.parts.archive),
        pieces=len(world.graph.pieces),
        edges=world.graph.edge_count,
        loops=world.loops.closed,
        loops_refused=world.loops.refused,
        solves=world.backend.solves,
    )


def keyframe_view(keyframe: Keyframe | Shown, keyframe_id: int, graph: PoseGraph) -> KeyframeView:
    """A keyframe with its points in the map's length unit."""
    S = graph.poses[keyframe_id]

    def make() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        unit = np.float32(scale_of(S))
        if not isinstance(keyframe, Keyframe):
            return keyframe.points * unit, keyframe.confidence, keyframe.colours
        features = keyframe.features
        colours = resample(features.frame.image, features.placement)
        return keyframe.canonical.points * unit, keyframe.shown, colours

    return KeyframeView(
        id=keyframe_id,
        stamp=keyframe.stamp,
        camera=keyframe.camera_name,
        T_map_camera=rigid(S),
        intrinsics=keyframe.camera,
        piece=graph.pieces[keyframe_id],
        in_window=isinstance(keyframe, Keyframe),
        loop_partners=graph.partners(keyframe_id),
        revision=keyframe.revision + graph.moves[keyframe_id],
        make=make,
    )


def _covariance(step: Step, unit: float) -> np.ndarray:
    if step.found is None:
        return np.zeros((6, 6))
    units = np.array([unit] * 3 + [1.0] * 3)
    return step.found.covariance * units[:, None] * units


def _maps(step: Step, unit: float, world: World) -> Maps | None:
    """What the pair tells; where that is no depth and something is known of what moves, what the
    keyframe knows, as the frame sees it, so that each image has its mask."""
    seen = step.seen
    if seen is None:
        return None
    scale = step.found.scale if step.found else 1.0
    made = _known(step, world) if scale is None else lambda: seen.frame
    if made is None:
        return None
    return Maps(
        made,
        (scale or 1.0) * unit,
        step.features.placement,
        camera_rays(step.view.camera) if step.view.calibrated else None,
        motion=step.motion,
    )


def _known(step: Step, world: World) -> Callable[[], ViewMaps] | None:
    """Makes what the keyframe knows as the frame sees it; None where nobody asks what moves."""
    keyframe_id = step.stream.keyframe_id
    if step.motion is None or keyframe_id is None or keyframe_id not in world.window:
        return None
    canonical = world.window[keyframe_id].canonical
    # A later frame moves its points where they are.
    canonical = replace(canonical, points=canonical.points.copy())
    T_frame_keyframe = np.linalg.inv(step.stream.T_keyframe_frame)

    def make() -> ViewMaps:
        share = 1 / canonical.folds
        points, weight = carried(canonical, T_frame_keyframe, step.view.camera, share)
        return ViewMaps(points, 1 + weight)

    return make
