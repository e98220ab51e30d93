# SPDX-License-Identifier: Apache-2.0
"""An update of a frame that is somewhere, and shows nothing."""

from __future__ import annotations

import numpy as np

from dens3r_ros.mapping.update import Tracking, Update


def tracked(T_map_camera: np.ndarray, T_map_odom: np.ndarray, stamp: int = 0) -> Update:
    """Of one frame."""
    return Update(
        state=Tracking.TRACKING,
        stamp=stamp,
        camera="",
        T_odom_camera=np.linalg.inv(T_map_odom) @ T_map_camera,
        T_map_camera=T_map_camera,
        T_map_odom=T_map_odom,
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
