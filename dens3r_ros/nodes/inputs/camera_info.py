# SPDX-License-Identifier: Apache-2.0
"""CameraInfo to intrinsics and undistortion, as `sources.messages` does it for bags too."""

from __future__ import annotations

from dens3r_ros.sources.messages.camera_info import (
    LensCalibration,
    RejectedInfo,
    calibration_from_info,
)

__all__ = ["LensCalibration", "RejectedInfo", "calibration_from_info"]
