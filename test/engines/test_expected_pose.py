# SPDX-License-Identifier: Apache-2.0
"""Where these fail, people who cover much of two images are taken for the camera's own motion
though the map knows better, or a wrong expectation blinds the engine."""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.engines.geometric.moving import near_pose, near_tracks

K = np.array([[280.0, 0, 160], [0, 280, 120], [0, 0, 1]])


def _seen(points: np.ndarray, T: np.ndarray) -> np.ndarray:
    there = points @ T[:3, :3].T + T[:3, 3]
    return there[:, :2] / there[:, 2:] * K[0, 0] + K[:2, 2]


def _pose(turn: tuple[float, float, float], shift: tuple[float, float, float]) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = cv2.Rodrigues(np.array(turn))[0], shift
    return T


def _tracks() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    points = rng.uniform((-1.5, -1, 2), (1.5, 1, 5), (300, 3))
    moves = np.arange(300) < 100
    T_b_a = _pose((0.02, -0.05, 0.0), (0.1, 0.02, 0.05))
    a, b = _seen(points, np.eye(4)), _seen(points, T_b_a)
    b[moves] = _seen(points[moves] + (0.1, 0.25, 0), T_b_a)
    return a, b, moves, T_b_a


def test_what_moves_by_itself_has_no_say() -> None:
    a, b, moves, T_b_a = _tracks()
    agree = near_tracks(a, b, near_pose(T_b_a @ _pose((0.003, 0, 0), (0.005, 0, 0))), (K, K))
    assert agree is not None
    assert agree[~moves].all()
    assert agree[moves].mean() < 0.2


def test_a_pose_that_little_agrees_with_is_not_believed() -> None:
    a, b, _, _ = _tracks()
    assert near_tracks(a, b, near_pose(_pose((0.3, 0.2, 0.3), (0, 0, 1.0))), (K, K)) is None


def test_without_a_baseline_or_a_lens_nothing_is_told() -> None:
    a, b, _, T_b_a = _tracks()
    assert near_pose(None) is None
    assert near_pose(_pose((0.1, 0, 0), (0, 0, 0))) is None
    assert near_tracks(a, b, near_pose(T_b_a), None) is None
