# SPDX-License-Identifier: Apache-2.0
"""The update of a frame that was tracked and not decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.front_end.carrying import carried_maps
from dens3r_ros.mapping.front_end.course import Course
from dens3r_ros.mapping.front_end.fast_tracker import Placed
from dens3r_ros.mapping.graph.graph import scale_of
from dens3r_ros.mapping.motion.weights import share_moving
from dens3r_ros.mapping.streams.odometry import Odometry, in_map
from dens3r_ros.mapping.tracking.cameras import at_input
from dens3r_ros.mapping.update import Counters, Tracking, Update, place_reason


@dataclass(frozen=True, eq=False)
class LastAnswer:
    """What is so beside the frame itself: the update that the last decoding gave if there was
    one, whether it was taken over with this frame, milliseconds by stage and those computed,
    totals, whether lengths are metres."""

    last: Update | None
    decoded: bool
    timings: Mapping[str, float]
    computed: Mapping[str, float]
    counters: Counters
    metric: bool

    @property
    def scale(self) -> float:
        """Length of one unit of `map` in units of `odom`."""
        return 1.0 if self.last is None else self.last.scale


def placed_update(
    frame: Frame, course: Course, found: Placed, odometry: Odometry, standing: LastAnswer
) -> Update:
    """Of a frame that has a place."""
    reference = course.reference
    assert reference is not None
    T, S = found.T_keyframe_frame, reference.S_map_keyframe
    T_map_camera = in_map(S, T)
    scale = odometry.scale(S) if course.owner else standing.scale
    unit = scale * scale_of(S)
    units = np.array([unit] * 3 + [1.0] * 3)
    dynamic = share_moving(found.moving)
    return replace(
        _plain(frame, odometry, standing),
        state=Tracking.TRACKING,
        reason=place_reason(standing.counters.pieces, dynamic),
        T_odom_camera=np.linalg.inv(odometry.T_map_odom) @ T_map_camera,
        T_map_camera=T_map_camera,
        covariance=found.covariance * units[:, None] * units,
        keyframe_id=reference.keyframe_id,
        piece=reference.piece,
        scale=scale,
        T_keyframe_camera=T,
        keyframe_unit=unit,
        maps=carried_maps(reference, T, frame.stamp, unit, found.moving),
        dynamic=dynamic,
        intrinsics=at_input(reference.sight.camera, reference.sight.placement),
        matched=found.matched,
    )


def unplaced_update(
    frame: Frame, course: Course, reason: str, odometry: Odometry, standing: LastAnswer
) -> Update:
    """Of a frame that has none."""
    state = Tracking.LOST if course.lost == 1 else Tracking.RELOCALISING
    if course.reference is None:
        state, reason = _before(frame, standing, reason)
    return replace(_plain(frame, odometry, standing), state=state, reason=reason)


def _before(frame: Frame, standing: LastAnswer, reason: str) -> tuple[Tracking, str]:
    """State and reason of a camera that has had no place yet, as the last decoding told them."""
    last = standing.last
    if last is None or last.camera != frame.camera or last.state is Tracking.TRACKING:
        return Tracking.INITIALISING, reason
    return last.state, last.reason or reason


def _plain(frame: Frame, odometry: Odometry, standing: LastAnswer) -> Update:
    """What every update tells."""
    last = standing.last
    return Update(
        state=Tracking.LOST,
        stamp=frame.stamp,
        camera=frame.camera,
        T_odom_camera=None,
        T_map_camera=None,
        T_map_odom=odometry.T_map_odom,
        covariance=None,
        keyframe_made=standing.decoded and last is not None and last.keyframe_made,
        keyframe_id=None,
        epoch=odometry.epoch,
        scale=standing.scale,
        metric=standing.metric,
        maps=None,
        intrinsics=None,
        intrinsics_estimated=frame.intrinsics is None,
        matched=0.0,
        timings=standing.timings,
        computed=standing.computed,
        counters=standing.counters,
        levelled_by="" if last is None else last.levelled_by,
        decoded=standing.decoded,
    )
