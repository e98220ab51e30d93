# SPDX-License-Identifier: Apache-2.0
"""If these fail, calibrated cameras give bent walls, or a wrong calibration is believed."""

import numpy as np
import pytest

pytest.importorskip("sensor_msgs.msg", reason="needs ROS message packages")
from sensor_msgs.msg import CameraInfo

from dens3r_ros.nodes.inputs.camera_info import RejectedInfo, calibration_from_info

K = [500.0, 0, 319.5, 0, 500.0, 239.5, 0, 0, 1]


def info(**changes: object) -> CameraInfo:
    message = CameraInfo(width=640, height=480, distortion_model="plumb_bob", k=K)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def test_an_uncalibrated_camera_is_none() -> None:
    assert calibration_from_info(info(k=[0.0] * 9), 640, 480) is None


def test_a_smaller_image_scales_the_intrinsics() -> None:
    calibration = calibration_from_info(info(), 320, 240)
    assert calibration is not None
    assert calibration.intrinsics.fx == 250
    assert calibration.intrinsics.cx == 159.5


def test_region_of_interest_and_binning() -> None:
    message = info(binning_x=2, binning_y=2)
    message.roi.x_offset, message.roi.y_offset = 100, 50
    message.roi.width, message.roi.height = 400, 300
    calibration = calibration_from_info(message, 200, 150)
    assert calibration is not None
    assert calibration.intrinsics.fx == 250
    assert calibration.intrinsics.cx == (319.5 - 100 + 0.5) / 2 - 0.5


@pytest.mark.parametrize(
    "changes",
    [
        {"k": [-500.0, *K[1:]]},
        {"k": [float("nan"), *K[1:]]},
        {"d": [0.1, float("inf"), 0, 0, 0]},
        {"d": [0.1, 0.2, 0.3]},
        {"distortion_model": "barrel", "d": [0.1]},
        {"width": 0, "height": 0},
        {"width": 480, "height": 640},
    ],
)
def test_impossible_calibrations_are_refused(changes: dict) -> None:
    with pytest.raises(RejectedInfo):
        calibration_from_info(info(**changes), 640, 480)


@pytest.mark.parametrize(
    ("model", "coefficients"),
    [("plumb_bob", [-0.3, 0.1, 0, 0, 0]), ("equidistant", [-0.05, 0.01, 0, 0])],
)
def test_undistortion_moves_a_distorted_dot_to_where_a_pinhole_sees_it(
    model: str, coefficients: list[float]
) -> None:
    import cv2

    calibration = calibration_from_info(info(distortion_model=model, d=coefficients), 640, 480)
    assert calibration is not None
    ray = np.array([[[0.3, 0.2, 1.0]]])
    pinhole = ray[0, 0] @ calibration.intrinsics.K.T
    still = np.zeros(3)
    if model == "equidistant":
        seen, _ = cv2.fisheye.projectPoints(
            ray, still, still, calibration.intrinsics.K, np.array(coefficients)
        )
    else:
        seen, _ = cv2.projectPoints(
            ray, still, still, calibration.intrinsics.K, np.array(coefficients)
        )
    u, v = seen.ravel()
    y, x = np.mgrid[:480, :640]
    dot = (255 * np.exp(-((x - u) ** 2 + (y - v) ** 2) / 18)).astype(np.uint8)
    straight = calibration.undistorter()(dot).astype(float)
    total = straight.sum()
    assert abs((straight * x).sum() / total - pinhole[0]) < 0.3
    assert abs((straight * y).sum() / total - pinhole[1]) < 0.3
