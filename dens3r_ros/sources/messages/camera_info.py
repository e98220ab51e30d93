# SPDX-License-Identifier: Apache-2.0
"""CameraInfo to intrinsics, and the undistortion that makes an image a pinhole one.

Messages are those of sensor_msgs, whichever library read them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from dens3r_ros.geometry.camera import Intrinsics

PINHOLE_LENGTHS = {0, 4, 5, 8, 12, 14}
FISHEYE_LENGTHS = {4}
SHORTEST, LONGEST = 1.0, 1e6
"""Focal lengths in pixels that a camera may have."""


class RejectedInfo(Exception):
    """A CameraInfo that cannot be true of the images; the text says what is wrong."""


@dataclass(frozen=True, eq=False)
class LensCalibration:
    """A camera as calibrated, lens included, for images of `intrinsics`' size."""

    intrinsics: Intrinsics
    distortion: np.ndarray
    fisheye: bool

    def undistorter(self) -> Callable[[np.ndarray], np.ndarray]:
        """What takes an image of this camera to the pinhole image of the same intrinsics."""
        if not np.any(self.distortion):
            return lambda image: image
        size = (self.intrinsics.width, self.intrinsics.height)
        library: Any = cv2.fisheye if self.fisheye else cv2
        K = self.intrinsics.K
        map_x, map_y = library.initUndistortRectifyMap(
            K, self.distortion, np.eye(3), K, size, cv2.CV_16SC2
        )
        return lambda image: cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR)


def calibration_from_info(message: Any, width: int, height: int) -> LensCalibration | None:
    """What `message` says of images of width x height; None where the camera is uncalibrated."""
    K = np.asarray(message.k, np.float64).reshape(3, 3)
    if not np.any(K):
        return None
    _check_matrix(K)
    intrinsics = Intrinsics(
        K[0, 0], K[1, 1], K[0, 2], K[1, 2], int(message.width), int(message.height)
    )
    distortion, fisheye = _distortion(message)
    return LensCalibration(_fitted(intrinsics, message, width, height), distortion, fisheye)


def _check_matrix(K: np.ndarray) -> None:
    if not np.all(np.isfinite(K)):
        raise RejectedInfo("K holds numbers that are not finite")
    if not all(SHORTEST <= focal <= LONGEST for focal in (K[0, 0], K[1, 1])):
        raise RejectedInfo(f"focal lengths {K[0, 0]:g}, {K[1, 1]:g} are no camera's, in pixels")


def _distortion(message: Any) -> tuple[np.ndarray, bool]:
    coefficients = np.asarray(message.d, np.float64)
    if not np.all(np.isfinite(coefficients)):
        raise RejectedInfo("D holds numbers that are not finite")
    if not np.any(coefficients):
        return np.zeros(0), False
    model = message.distortion_model
    fisheye = model in ("equidistant", "fisheye")
    if not fisheye and model not in ("plumb_bob", "rational_polynomial", ""):
        raise RejectedInfo(
            f"distortion model '{model}' is not known; known are plumb_bob, "
            "rational_polynomial, equidistant"
        )
    allowed = FISHEYE_LENGTHS if fisheye else PINHOLE_LENGTHS
    if len(coefficients) not in allowed:
        raise RejectedInfo(f"{len(coefficients)} distortion coefficients for model '{model}'")
    return coefficients, fisheye


def _fitted(intrinsics: Intrinsics, message: Any, width: int, height: int) -> Intrinsics:
    region = message.roi
    if region.width and region.height:
        intrinsics = intrinsics.cropped(
            region.x_offset, region.y_offset, region.width, region.height
        )
    if (intrinsics.width, intrinsics.height) == (width, height):
        return intrinsics
    if intrinsics.width <= 0 or intrinsics.height <= 0:
        raise RejectedInfo(f"calibration size {intrinsics.width}x{intrinsics.height}")
    rounding = 0.5 * (intrinsics.width + intrinsics.height)
    if abs(width * intrinsics.height - height * intrinsics.width) > rounding:
        raise RejectedInfo(
            f"calibrated for {intrinsics.width}x{intrinsics.height}, images are {width}x{height}"
        )
    return intrinsics.resized(width, height)
