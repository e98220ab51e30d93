# SPDX-License-Identifier: Apache-2.0
"""Without these a robot is told a wrong motion as if it were the only one that fits."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dens3r_ros.geometry.two_views.two_view_search import likeliest_motion

SIZE = 240, 320
K = np.array([[280.0, 0, 159.5], [0, 280.0, 119.5], [0, 0, 1]])
R = cv2.Rodrigues(np.radians([2.0, -6.0, 3.0]))[0]
T = np.array([0.3, 0.05, 0.1])


def tracks(
    depth: tuple[float, float], outliers: float = 0.0, width: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Of points at random depths, in the left share `width` of a; 0.3 pixels off in b."""
    random = np.random.default_rng(0)
    a = random.random((600, 2)) * [SIZE[1] * width, SIZE[0]]
    rays = np.column_stack([a, np.ones(len(a))]) @ np.linalg.inv(K).T
    points = rays * random.uniform(*depth, (len(a), 1))
    seen = (points @ R.T + T) @ K.T
    b = seen[:, :2] / seen[:, 2:] + random.normal(0, 0.3, a.shape)
    wrong = random.random(len(a)) < outliers
    b[wrong] = random.random((wrong.sum(), 2)) * SIZE[::-1]
    return a, b


def turn_off(T_b_a: np.ndarray) -> float:
    return float(np.degrees(np.linalg.norm(cv2.Rodrigues(T_b_a[:3, :3] @ R.T)[0])))


def aside(T_b_a: np.ndarray) -> float:
    cosine = T_b_a[:3, 3] @ T / np.linalg.norm(T)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


@pytest.mark.parametrize("outliers", [0.0, 0.3])
def test_motion_of_known_cameras(outliers):
    found = likeliest_motion(*tracks((1, 4), outliers), (K, K), SIZE)
    assert turn_off(found.view.T_b_a) < 0.3 and aside(found.view.T_b_a) < 2
    assert found.view.inliers.mean() == pytest.approx(1 - outliers, abs=0.05)
    assert found.rivalry > 1.5


def test_motion_and_focal_length_of_an_unknown_camera():
    found = likeliest_motion(*tracks((1, 4)), None, SIZE)
    assert found.view.K_a[0, 0] == pytest.approx(K[0, 0], rel=0.05)
    assert turn_off(found.view.T_b_a) < 1 and found.rivalry > 1.2


def test_hardly_any_parallax_leaves_a_rival():
    clear = likeliest_motion(*tracks((1, 4)), (K, K), SIZE)
    far = likeliest_motion(*tracks((400, 600)), (K, K), SIZE)
    assert far.rivalry < 1.1 < clear.rivalry


def test_crowded_tracks_tell_less():
    wide = likeliest_motion(*tracks((1, 4)), (K, K), SIZE)
    narrow = likeliest_motion(*tracks((1, 4), width=0.2), (K, K), SIZE)
    assert narrow.turn_sigma > 2 * wide.turn_sigma


def test_too_few_tracks_tell_nothing():
    a, b = tracks((1, 4))
    assert likeliest_motion(a[:5], b[:5], (K, K), SIZE) is None
