# SPDX-License-Identifier: Apache-2.0
"""Without a right pose and an honest covariance everything built on them drifts or overbelieves."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.tracking.matching import unit
from dens3r_ros.mapping.tracking.resection import RayMatches, agreed, resect, resect_from_scratch

SIGMA = 1 / 400


def scene(random: np.random.Generator, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Points before a keyframe, and T_frame_keyframe of a frame half a metre away."""
    points = random.uniform((-1.5, -1, 1.5), (1.5, 1, 4), (count, 3))
    T = np.eye(4)
    T[:3, :3] = Rotation.from_rotvec(random.normal(0, 0.1, 3)).as_matrix()
    T[:3, 3] = random.normal(0, 0.25, 3)
    return points, T


def seen(points: np.ndarray, T: np.ndarray, noise: np.ndarray | float = 0.0) -> np.ndarray:
    rays = unit(points @ T[:3, :3].T + T[:3, 3])
    return unit(rays + noise)


def off(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(6,) small motion between two poses: translation, rotation."""
    E = found @ np.linalg.inv(true)
    return np.concatenate((E[:3, 3], Rotation.from_matrix(E[:3, :3]).as_rotvec()))


def test_exact_matches_give_the_exact_pose() -> None:
    points, T = scene(np.random.default_rng(0))
    matches = RayMatches(points, seen(points, T), np.ones(len(points)))
    found = resect(matches, np.eye(4), SIGMA, TrackingConfig())
    assert np.abs(off(found.T_frame_keyframe, T)).max() < 1e-4
    assert found.inliers == 1


def test_a_third_of_wrong_matches_does_no_harm_even_without_a_start() -> None:
    random = np.random.default_rng(1)
    points, T = scene(random)
    T[:3, :3] = Rotation.from_rotvec((0, 1.2, 0)).as_matrix() @ T[:3, :3]
    T[2, 3] = 2.0
    rays = seen(points, T)
    rays[::3] = unit(random.normal(0, 1, rays[::3].shape))
    front = rays[:, 2] > 0.1
    matches = RayMatches(points[front], rays[front], np.ones(front.sum()))
    found = resect_from_scratch(matches, SIGMA, TrackingConfig())
    assert found is not None
    assert np.abs(off(found.T_frame_keyframe, T)).max() < 1e-2


def test_covariance_is_honest_about_errors_that_neighbours_share() -> None:
    """The normalised squared error per component must be near one, however many pixels agree."""
    random = np.random.default_rng(2)
    scores = []
    for _ in range(60):
        points, T = scene(random, 1200)
        shared = random.normal(0, SIGMA, (4, 6, 3))
        rays = seen(points, T)
        cell = ((rays[:, :2] / rays[:, 2:]).clip(-0.8, 0.8) * 0.62 + 0.5).clip(0, 0.999)
        noise = shared[(cell[:, 1] * 4).astype(int), (cell[:, 0] * 6).astype(int)]
        matches = RayMatches(points, unit(rays + noise), np.ones(len(points)))
        found = resect(matches, T, SIGMA, TrackingConfig())
        error = off(found.T_frame_keyframe, T)
        scores.append(error @ np.linalg.solve(found.covariance, error) / 6)
    assert 0.5 < np.median(scores) < 2.5


def test_smooth_depth_errors_bend_the_pose_less_when_they_are_expected() -> None:
    random = np.random.default_rng(3)
    errors = {0.0: [], 0.1: []}
    for _ in range(20):
        points, T = scene(random)
        warp = 1 + 0.1 * np.sin(2 * points[:, :1] + random.uniform(0, 6))
        for depth_sigma, found_errors in errors.items():
            matches = RayMatches(points * warp, seen(points, T), np.ones(len(points)))
            config = TrackingConfig(sigma_depth=depth_sigma)
            found = resect(matches, T, SIGMA, config)
            found_errors.append(np.linalg.norm(off(found.T_frame_keyframe, T)[3:]))
    assert np.median(errors[0.1]) < 0.7 * np.median(errors[0.0])


def test_two_estimates_agree_nearer_the_surer_one() -> None:
    points, T = scene(np.random.default_rng(4))
    matches = RayMatches(points, seen(points, T), np.ones(len(points)))
    exact = resect(matches, T, SIGMA, TrackingConfig())
    shifted = exact.T_frame_keyframe.copy()
    shifted[0, 3] += 0.03
    rough = type(exact)(shifted, np.eye(6) * 4e-4, exact.agree, SIGMA)
    sure = type(exact)(exact.T_frame_keyframe, np.eye(6) * 1e-4, exact.agree, SIGMA)
    together, covariance = agreed(rough, sure)
    assert off(together, T)[0] == pytest.approx(0.03 / 5, rel=0.02)
    assert covariance[0, 0] == pytest.approx(0.8e-4)


def test_too_few_matches_give_nothing_rather_than_something() -> None:
    points, T = scene(np.random.default_rng(5), 8)
    matches = RayMatches(points, seen(points, T), np.ones(8))
    assert resect_from_scratch(matches, SIGMA, TrackingConfig()) is None
