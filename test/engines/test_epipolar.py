# SPDX-License-Identifier: Apache-2.0
"""Repeated windows and leaves match each other there and back: a camera placed by such matches
turns by degrees on a straight road."""

import numpy as np
import pytest

from dens3r_ros.engines.geometric.epipolar import strayed
from dens3r_ros.geometry.two_views.two_view import TwoView
from dens3r_ros.geometry.two_views.two_view_search import Likeliest

K = np.array([[60.0, 0, 39.5], [0, 60, 29.5], [0, 0, 1]])


def seen(depth: float, T_b_a: np.ndarray) -> np.ndarray:
    """(60, 80, 2) where b's pixels, at one depth of b, lie in a."""
    x, y = np.meshgrid(np.arange(80), np.arange(60))
    points = np.stack(((x - 39.5) / 60, (y - 29.5) / 60, np.ones((60, 80))), -1) * depth
    T = np.linalg.inv(T_b_a)
    pixels = (points @ T[:3, :3].T + T[:3, 3]) @ K.T
    return (pixels[..., :2] / pixels[..., 2:]).astype(np.float32)


@pytest.mark.parametrize("way", [(1.0, 0.0, 0.1), (0.0, 0.1, -1.0)])
def test_what_lies_off_its_epipolar_line_has_strayed(way: tuple[float, float, float]) -> None:
    T_b_a = np.eye(4)
    T_b_a[:3, 3] = way
    view = TwoView(T_b_a, K, K, np.ones(0, bool))
    motion = Likeliest(view, 0.2, 1.0, 2.0, [])
    for depth in (5.0, 30.0):
        landed = seen(depth, T_b_a)
        assert strayed(landed, motion).max() < 0.01, "wherever along the line"
        line = landed - seen(2 * depth, T_b_a)
        across = np.stack((-line[..., 1], line[..., 0]), -1)
        across /= np.linalg.norm(across, axis=-1, keepdims=True).clip(1e-6)
        off = strayed(landed + np.float32(6) * across.astype(np.float32), motion)
        clear = np.linalg.norm(line, axis=-1) > 0.5
        assert clear.any()
        assert off[clear].min() > 3 and off[clear].max() < 6
