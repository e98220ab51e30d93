# SPDX-License-Identifier: Apache-2.0
"""Received messages to frames: decoded, calibrated, undistorted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from rclpy.impl.rcutils_logger import RcutilsLogger
from sensor_msgs.msg import CameraInfo, CompressedImage

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.nodes.inputs.camera_info import RejectedInfo, calibration_from_info
from dens3r_ros.nodes.inputs.images import RejectedImage, rgb_from_compressed, rgb_from_image
from dens3r_ros.nodes.inputs.intake import Received

SHORTEST_SIDE = 32


@dataclass(frozen=True, eq=False)
class _Rectification:
    info: CameraInfo | None
    size: tuple[int, int]
    intrinsics: Intrinsics | None
    undistort: Callable[[np.ndarray], np.ndarray]


@dataclass
class Reader:
    """Keeps each camera's lens model until its calibration or image size changes."""

    max_pixels: int
    logger: RcutilsLogger
    shortest_side: int = SHORTEST_SIDE
    """Of an image, in pixels; smaller ones are refused."""
    _lenses: dict[str, _Rectification] = field(default_factory=dict)

    def frame(self, received: Received) -> Frame:
        """The frame that the engine sees; RejectedImage where there is none."""
        message = received.message
        if isinstance(message, CompressedImage):
            image = rgb_from_compressed(message, self.max_pixels)
        else:
            image = rgb_from_image(message, self.max_pixels)
        if min(image.shape[:2]) < self.shortest_side:
            raise RejectedImage(
                "too_small", f"image of {image.shape[1]}x{image.shape[0]}, too small to map from"
            )
        lens = self._lens(received, image)
        return Frame(lens.undistort(image), received.stamp, received.camera, lens.intrinsics)

    def _lens(self, received: Received, image: np.ndarray) -> _Rectification:
        size = image.shape[0], image.shape[1]
        known = self._lenses.get(received.camera)
        if known is None or known.size != size or not _equal(known.info, received.info):
            known = self._new_lens(received, size, known)
            self._lenses[received.camera] = known
        return known

    def _new_lens(
        self, received: Received, size: tuple[int, int], previous: _Rectification | None
    ) -> _Rectification:
        plain = _Rectification(received.info, size, None, lambda image: image)
        if received.info is None:
            return plain
        self._compare_frames(received.info, received.frame_id)
        try:
            calibration = calibration_from_info(received.info, size[1], size[0])
        except RejectedInfo as error:
            self.logger.error(f"camera_info of '{received.camera or 'the camera'}': {error}")
            if previous is not None and previous.size == size:
                return _Rectification(received.info, size, previous.intrinsics, previous.undistort)
            return plain
        if calibration is None:
            return plain
        return _Rectification(
            received.info, size, calibration.intrinsics, calibration.undistorter()
        )

    def _compare_frames(self, info: CameraInfo, frame_id: str) -> None:
        if info.header.frame_id.lstrip("/") != frame_id:
            self.logger.warning(
                f"camera_info is of frame '{info.header.frame_id}', images are of '{frame_id}': "
                "taken all the same; is it another camera's?"
            )


def _equal(a: CameraInfo | None, b: CameraInfo | None) -> bool:
    if a is None or b is None:
        return a is b
    return a is b or (
        np.array_equal(a.k, b.k, equal_nan=True)
        and np.array_equal(a.d, b.d, equal_nan=True)
        and (a.width, a.height, a.distortion_model) == (b.width, b.height, b.distortion_model)
        and a.roi == b.roi
    )
