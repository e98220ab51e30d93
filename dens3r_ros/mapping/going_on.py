# SPDX-License-Identifier: Apache-2.0
"""How `odom` goes on with a frame that has a place: by what was seen of its motion, else by what is
expected of it, never by the map."""

from __future__ import annotations

import numpy as np

from dens3r_ros.mapping.step import Step
from dens3r_ros.mapping.streams.odometry import APART, Odometry
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.world import World

_REFOCUSED = 0.02
"""Change of the logarithm of the focal length from which on the poses of two frames are not
compared: part of what lies between them is the lens."""


def go_on(odometry: Odometry, world: World, step: Step, keyframe: Keyframe) -> None:
    """Follow the owner's frame, which was placed against a keyframe."""
    stream, stamp = step.stream, step.frame.stamp
    before, stream.focal = stream.focal, step.view.camera.fx
    refocused = before > 0 and abs(np.log(stream.focal / before)) > _REFOCUSED
    elsewhere = odometry.keyframe_id != keyframe.id
    if elsewhere:
        old = odometry.keyframe_id or 0
        S_map_old = world.pose(old)
        if not world.graph.pieces.together(old, keyframe.id):
            odometry.begin_epoch(APART)
        odometry.resume(keyframe.id, world.pose(keyframe.id), S_map_old)
    if elsewhere or refocused:
        odometry.expect(stamp, stream.T_keyframe_frame)
    else:
        odometry.follow(stamp, stream.T_keyframe_frame, keyframe.canonical.median_depth)
