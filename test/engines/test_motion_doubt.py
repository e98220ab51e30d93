# SPDX-License-Identifier: Apache-2.0
"""Without these, depth is called sure where a slightly other motion would have told another."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dens3r_ros.engines.geometric.doubt import motion_doubt

K = np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]])
ASIDE = np.array([1.0, 0, 0])
WALL = np.full((240, 320), 0.2, np.float32)


def seen(t: np.ndarray = ASIDE, turned: float = 0.0) -> tuple:
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(np.radians([0, turned, 0]))[0]
    T[:3, 3] = t
    return (K, K), T


def test_an_equal_motion_leaves_no_doubt():
    assert motion_doubt(WALL, seen(), [seen()]).max() < 1e-3


def test_a_turn_is_doubt_that_grows_with_distance():
    inverse = np.tile(np.linspace(0.1, 0.4, 320, dtype=np.float32), (240, 1))
    doubt = motion_doubt(inverse, seen(), [seen(turned=0.2)])
    assert doubt[:, :40].mean() > 2 * doubt[:, -40:].mean()


@pytest.mark.parametrize("t", [2 * ASIDE, 0.5 * ASIDE])
def test_a_longer_baseline_only_scales(t):
    assert motion_doubt(WALL, seen(), [seen(t)]).max() < 1e-3
