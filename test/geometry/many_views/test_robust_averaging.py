# SPDX-License-Identifier: Apache-2.0
"""If these fail, one keyframe that is wrong moves a photo, or a place is told that is not known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.many_views.robust_averaging import (
    ON_A_LINE,
    averaged_camera,
    averaged_rotation,
    meeting_point,
)
from dens3r_ros.geometry.rotation import turn


def camera(turned: np.ndarray, at: np.ndarray) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_rotvec(turned).as_matrix(), at
    return T


def scene(
    count: int, random: np.random.RandomState, noise: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Known cameras, a camera as each sees it at a length that means nothing, its true pose."""
    truth = camera(random.normal(0, 1, 3), random.normal(0, 1, 3))
    drawn = [(random.normal(0, 1, 3), random.normal(0, 2, 3)) for _ in range(count)]
    known = np.array([camera(*one) for one in drawn])
    relative = np.linalg.inv(known) @ truth
    for one in relative:
        off = Rotation.from_rotvec(random.normal(0, noise, 3)).as_matrix()
        one[:3, :3] = one[:3, :3] @ off
        one[:3, 3] = random.uniform(0.1, 9) * (off @ one[:3, 3])
    return known, relative, truth


def test_without_noise_it_is_exact() -> None:
    known, relative, truth = scene(4, np.random.RandomState(0))
    found = averaged_camera(known, relative, np.ones(4, bool))
    assert not isinstance(found, str) and found.agree.all()
    assert np.allclose(found.T_world_camera, truth, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_wrong_ones_do_not_count(seed: int) -> None:
    random = np.random.RandomState(seed)
    known, relative, truth = scene(10, random, np.deg2rad(1))
    for n in range(3):
        relative[n] = camera(random.normal(0, 1, 3), random.normal(0, 1, 3))
    relative[3, :3, 3] *= -1  # as of a network that mistakes before for behind
    found = averaged_camera(known, relative, np.ones(10, bool))
    assert not isinstance(found, str)
    assert not found.agree[:4].any() and found.agree[4:].sum() >= 5
    off = truth[:3, 3] - found.T_world_camera[:3, 3]
    assert np.sqrt(off @ np.linalg.solve(found.covariance[:3, :3], off)) < 4
    assert np.rad2deg(turn(truth[:3, :3].T @ found.T_world_camera[:3, :3])) < 1.5


def test_half_turns_are_averaged() -> None:
    """Where quaternions of about the same rotation have opposite signs."""
    axis = np.array([0.0, 1.0, 0.0])
    rotations = Rotation.from_rotvec([axis * np.pi * k for k in (0.99, 1.01, 1.0)]).as_matrix()
    found = averaged_rotation(rotations)
    assert not isinstance(found, str)
    assert turn(found[0].T @ Rotation.from_rotvec(axis * np.pi).as_matrix()) < 1e-3


def test_a_line_of_keyframes_is_told() -> None:
    at = np.array([[0.0, 0, 0], [1, 0.001, 0], [2, 0, 0.001], [3, 0, 0]])
    directions = np.array([[1.0, 0, 0]] * 2 + [[-1.0, 0, 0]] * 2)
    random = np.random.RandomState(0)
    assert meeting_point(at, directions) == ON_A_LINE
    assert meeting_point(at, directions + random.normal(0, 0.015, (4, 3))) == ON_A_LINE
    aside = meeting_point(np.vstack([at, [1.5, 2, 0]]), np.vstack([directions, [0.0, -1, 0]]))
    assert not isinstance(aside, str) and np.allclose(aside[0], [1.5, 0, 0], atol=0.01)


def test_what_cannot_be_known_is_a_reason() -> None:
    known, relative, _ = scene(4, np.random.RandomState(3))
    shifted = np.array([True, False, False, False])
    found = averaged_camera(known, relative, shifted)
    assert isinstance(found, str) and "fewer than two" in found
    apart = Rotation.from_rotvec([[0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]).as_matrix()
    assert averaged_rotation(apart) == "no two keyframes agree on its direction"
    two = averaged_rotation(apart[[0, 0, 1, 1]])
    assert isinstance(two, str) and "as many" in two
    away = meeting_point(np.array([[0.0, 0, 0], [2, 0, 0]]), np.array([[-1.0, 1, 0], [1, 1, 0]]))
    assert isinstance(away, str) and "do not meet" in away
