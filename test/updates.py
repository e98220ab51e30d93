# SPDX-License-Identifier: Apache-2.0
"""An update of a frame that is somewhere, and shows nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dens3r_ros.mapping.update import Tracking, Update

HERE = Update(
    state=Tracking.TRACKING,
    stamp=0,
    camera="",
    T_odom_camera=np.eye(4),
    T_map_camera=np.eye(4),
    T_map_odom=np.eye(4),
    covariance=np.eye(6) * 1e-4,
    keyframe_made=False,
    keyframe_id=0,
    epoch=0,
    scale=1.0,
    metric=False,
    maps=None,
    intrinsics=None,
    intrinsics_estimated=False,
    matched=1.0,
)


def tracked(T_map_camera: np.ndarray, T_map_odom: np.ndarray | None = None, **more: Any) -> Update:
    """Of one frame, with whatever else is to be said of it."""
    T = np.eye(4) if T_map_odom is None else T_map_odom
    poses = {"T_map_camera": T_map_camera, "T_map_odom": T}
    return replace(HERE, **poses, T_odom_camera=np.linalg.inv(T) @ T_map_camera, **more)


def lost(**more: Any) -> Update:
    """Of a frame that has no place."""
    return replace(
        HERE,
        state=Tracking.LOST,
        T_odom_camera=None,
        T_map_camera=None,
        covariance=None,
        **more,
    )
