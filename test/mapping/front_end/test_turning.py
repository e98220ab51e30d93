# SPDX-License-Identifier: Apache-2.0
"""A camera that turns faster than points can be followed is lost without this."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.front_end.turning import turned

CAMERA = Intrinsics(200.0, 200.0, 119.5, 89.5, 240, 180)
WIDE = Intrinsics(200.0, 200.0, 399.5, 299.5, 800, 600)


def scenery() -> np.ndarray:
    """(600, 800) uint8: a far-away wall with coarse and fine structure, as photographs have."""
    random = np.random.default_rng(3)
    image = np.zeros((600, 800), np.float32)
    for cells in (5, 10, 20, 40, 80):
        noise = random.normal(size=(cells * 3 // 4 + 1, cells)).astype(np.float32)
        image += cv2.resize(noise, (800, 600), interpolation=cv2.INTER_CUBIC) * 40 / np.sqrt(cells)
    return (image * 2 + 128).clip(0, 255).astype(np.uint8)


def view(degrees: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """The wall as a turned camera sees it, and how it is turned."""
    R = Rotation.from_euler("YXZ", degrees, degrees=True).as_matrix()
    H = WIDE.K @ R @ np.linalg.inv(CAMERA.K)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(scenery(), H, (240, 180), flags=flags), R


@pytest.mark.parametrize("degrees", [(2.0, 1.0, 0.0), (10.0, -3.0, 4.0)])
def test_a_turn_is_found_without_a_start(degrees) -> None:
    (one, R_one), (other, R_other) = view((0.0, 0.0, 0.0)), view(degrees)
    R = turned(one, (other * 0.8).astype(np.uint8), CAMERA, np.eye(3))
    assert R is not None
    assert Rotation.from_matrix(R.T @ R_one.T @ R_other).magnitude() < np.radians(0.3)


def test_views_that_share_nothing_give_no_turn() -> None:
    one, other = view((-35.0, 0.0, 0.0))[0], view((35.0, 0.0, 0.0))[0]
    assert turned(one, other, CAMERA, np.eye(3)) is None
