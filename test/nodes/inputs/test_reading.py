# SPDX-License-Identifier: Apache-2.0
"""If these fail, calibration is misread, or a bad one is worked through anew for every image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from encoded_images import encoded, smooth_rgb
from sensor_msgs.msg import CameraInfo

from dens3r_ros.nodes.inputs.images import RejectedImage
from dens3r_ros.nodes.inputs.intake import Received
from dens3r_ros.nodes.inputs.reading import Reader

K = [300.0, 0.0, 31.5, 0.0, 300.0, 23.5, 0.0, 0.0, 1.0]


class Log:
    """Collects what would be logged."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def error(self, text: str) -> None:
        self.told.append(text)

    warning = error

    def info(self, text: str) -> None:
        """What is no complaint."""


def received(height: int = 48, width: int = 64, **info: Any) -> Received:
    message = encoded(smooth_rgb(height, width), "rgb8")
    message.header.frame_id = "/camera_optical"
    calibration = CameraInfo(width=64, height=48, distortion_model="plumb_bob", **info)
    calibration.header.frame_id = "camera_optical"
    return Received("", message, 1, 0.0, calibration)


def test_a_bad_calibration_is_told_once_and_the_last_good_one_kept() -> None:
    log: Any = Log()
    reader = Reader(10**6, log)
    good = reader.frame(received(k=K))
    for _ in range(3):
        bad = reader.frame(received(k=[float("nan")] * 9))
    assert len(log.told) == 1 and "not finite" in log.told[0]
    assert good.intrinsics is not None and bad.intrinsics == good.intrinsics


def test_a_calibration_of_another_frame_is_told() -> None:
    log: Any = Log()
    other = received(k=K)
    assert other.info is not None
    other.info.header.frame_id = "rear_optical"
    Reader(10**6, log).frame(other)
    assert "'rear_optical'" in log.told[0] and "'camera_optical'" in log.told[0]


@pytest.mark.parametrize("size", [(2, 2), (12, 16), (480, 31)])
def test_images_too_small_to_map_from_are_refused_by_name(size: tuple[int, int]) -> None:
    log: Any = Log()
    with pytest.raises(RejectedImage) as refusal:
        Reader(10**6, log).frame(received(*size))
    assert refusal.value.reason == "too_small"
    assert np.all([str(side) in str(refusal.value) for side in size])
