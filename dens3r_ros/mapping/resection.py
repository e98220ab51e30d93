# SPDX-License-Identifier: Apache-2.0
"""The pose of a camera from points known elsewhere and the rays on which it sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import poselib
import torch
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.sim3 import se3_exp, se3_log
from dens3r_ros.mapping.config import TrackingConfig

MIN_MATCHES = 12
"""Fewer matches determine no pose that could be trusted."""
_CELLS = (3, 4)
"""Rows and columns of the view within which errors are taken to be correlated."""


@dataclass(frozen=True, eq=False)
class Matches:
    """Points (N, 3) float64 in the keyframe, unit rays (N, 3) in the frame, weights (N,) > 0."""

    points: np.ndarray
    rays: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True, eq=False)
class Resection:
    """A solved pose.

    T_frame_keyframe (4, 4); covariance (6, 6) of a small motion of the frame in its own optical
    frame, translation first; agree (N,) bool: matches within three sigma; sigma: radians.
    """

    T_frame_keyframe: np.ndarray
    covariance: np.ndarray
    agree: np.ndarray
    sigma: float

    @property
    def inliers(self) -> float:
        """Share of matches that agree."""
        return float(self.agree.mean())

    def with_floor(self, error: tuple[float, float], depth: float) -> Resection:
        """Never surer than `error`: a share of the scene's depth, and radians."""
        floors = np.array([error[0] * depth] * 3 + [error[1]] * 3)
        return replace(self, covariance=self.covariance + np.diag(floors**2))


def agreed(first: Resection, second: Resection) -> tuple[np.ndarray, np.ndarray]:
    """T_frame_keyframe and covariance of two independent solutions together."""
    apart = torch.from_numpy(second.T_frame_keyframe @ np.linalg.inv(first.T_frame_keyframe))
    gain = first.covariance @ np.linalg.inv(first.covariance + second.covariance)
    step = gain @ se3_log(apart).numpy()
    T = se3_exp(torch.from_numpy(step)).numpy() @ first.T_frame_keyframe
    return T, (np.eye(6) - gain) @ first.covariance


def resect(matches: Matches, start: np.ndarray, sigma: float, config: TrackingConfig) -> Resection:
    """Refine `start` (T_frame_keyframe) robustly; `sigma` is a match's expected error, radians.

    Errors along the epipolar line count less the more an error of the point's depth would show
    there, so that smooth depth errors do not bend the pose.
    """
    T = start.copy()
    across = _tangents(matches.rays)
    cost, H, g = _linearised(T, matches, across, sigma, config)
    damping = 1e-4
    for _ in range(config.pose_iterations):
        step = np.linalg.solve(H + damping * np.diag(np.diag(H)) + 1e-12 * np.eye(6), -g)
        moved = _step(step) @ T
        new_cost, new_H, new_g = _linearised(moved, matches, across, sigma, config)
        if new_cost >= cost:
            damping = max(damping, 1e-6) * 10
            if damping > 1e4:
                break
            continue
        done = cost - new_cost < 1e-4 * cost
        T, cost, H, g, damping = moved, new_cost, new_H, new_g, damping * 0.1
        if done:
            break
    return _solved(T, matches, across, sigma, config)


def resect_from_scratch(
    matches: Matches, sigma: float, config: TrackingConfig, most: int = 1000
) -> Resection | None:
    """The same without a start: sampled minimal solutions first; None where none agrees."""
    front = np.flatnonzero(matches.rays[:, 2] > 0.1)
    if len(front) < MIN_MATCHES:
        return None
    some = front[:: max(1, len(front) // most)]
    camera = {"model": "SIMPLE_PINHOLE", "width": 2, "height": 2, "params": [1.0, 0.0, 0.0]}
    seen = matches.rays[some, :2] / matches.rays[some, 2:]
    pose, _ = poselib.estimate_absolute_pose(
        list(seen),
        list(matches.points[some]),
        camera,
        {"max_reproj_error": 4 * sigma, "seed": config.seed},
        {},
    )
    start = np.eye(4)
    start[:3] = pose.Rt
    if not np.isfinite(start).all():
        return None
    return resect(matches, start, sigma, config)


def _tangents(rays: np.ndarray) -> np.ndarray:
    """(N, 2, 3) two directions across each ray."""
    helper = np.where(np.abs(rays[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    first = np.cross(rays, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack((first, np.cross(rays, first)), 1)


@dataclass(frozen=True, eq=False)
class _Residuals:
    """off (N, 2) whitened errors; J (N, 2, 6) their derivative by a small motion applied on the
    left (translation, rotation)."""

    off: np.ndarray
    J: np.ndarray


def shown_by_depth(matches: Matches, T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) angles off under T_frame_keyframe, and their derivative by the logarithm of the
    keyframe's depth."""
    off, _, by_point = _angles(T, matches, _tangents(matches.rays))
    return off, -by_point @ T[:3, 3]


def _angles(
    T: np.ndarray, matches: Matches, across: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N, 2) angles off, the points as the frame sees them, and (N, 2, 3) by those points."""
    seen = matches.points @ T[:3, :3].T + T[:3, 3]
    distance = np.linalg.norm(seen, axis=1, keepdims=True).clip(1e-9)
    ray = seen / distance
    off = np.einsum("nij,nj->ni", across, ray)
    by_point = (across - off[..., None] * ray[:, None]) / distance[..., None]
    return off, seen, by_point


def _residuals(
    T: np.ndarray, matches: Matches, across: np.ndarray, sigma: float, depth_sigma: float
) -> _Residuals:
    off, seen, by_point = _angles(T, matches, across)
    J = np.concatenate((by_point, np.cross(seen[:, None], by_point)), -1)
    whiten = _whitener(-by_point @ T[:3, 3], sigma, depth_sigma)
    behind = (seen * matches.rays).sum(1) <= 0
    off[behind] = np.where(off[behind] < 0, -1.0, 1.0)
    return _Residuals(np.einsum("nij,nj->ni", whiten, off), whiten @ J)


def _whitener(by_depth: np.ndarray, sigma: float, depth_sigma: float) -> np.ndarray:
    """(N, 2, 2) that brings errors to unit variance, given how depth errors show (N, 2)."""
    length = np.sqrt((by_depth**2).sum(1)).clip(1e-12)
    line = by_depth / length[:, None]
    shrink = 1 / np.sqrt(1 + (depth_sigma * length / sigma) ** 2) - 1
    return (np.eye(2) + shrink[:, None, None] * line[:, :, None] * line[:, None]) / sigma


def _huber_weights(off: np.ndarray, weights: np.ndarray, limit: float) -> np.ndarray:
    size = np.sqrt((off**2).sum(1)).clip(1e-12)
    return weights * np.minimum(1.0, limit / size)


def _linearised(
    T: np.ndarray, matches: Matches, across: np.ndarray, sigma: float, config: TrackingConfig
) -> tuple[float, np.ndarray, np.ndarray]:
    """Robust cost, and its normal equations for a small motion."""
    errors = _residuals(T, matches, across, sigma, config.sigma_depth)
    size, limit = np.sqrt((errors.off**2).sum(1)), config.huber
    cost = np.where(size < limit, 0.5 * size**2, limit * (size - 0.5 * limit))
    weights = _huber_weights(errors.off, matches.weights, limit)
    JW = errors.J * weights[:, None, None]
    H = np.tensordot(JW, errors.J, ((0, 1), (0, 1)))
    g = np.tensordot(JW, errors.off, ((0, 1), (0, 1)))
    return float((matches.weights * cost).sum()), H, g


def _solved(
    T: np.ndarray, matches: Matches, across: np.ndarray, sigma: float, config: TrackingConfig
) -> Resection:
    errors = _residuals(T, matches, across, sigma, config.sigma_depth)
    weights = _huber_weights(errors.off, matches.weights, config.huber)
    H = np.tensordot(errors.J * weights[:, None, None], errors.J, ((0, 1), (0, 1)))
    spread = max(1.4826 * float(np.median(np.abs(errors.off))), 0.1)
    variance = spread**2 * _shared(errors.off / spread, weights, matches.rays)
    covariance = variance * np.linalg.inv(H + 1e-9 * np.trace(H) / 6 * np.eye(6))
    agree = np.sqrt((errors.off**2).sum(1)) < 3 * max(spread, 1.0)
    return Resection(T, covariance, agree, spread * sigma)


def _shared(off: np.ndarray, weights: np.ndarray, rays: np.ndarray) -> float:
    """How many matches say the same, by how far errors (N, 2) of unit variance agree within cells
    of the view; 1 where each match errs for itself.

    Neighbouring pixels share their errors, so their number alone would promise far too much.
    """
    slopes = rays[:, :2] / rays[:, 2:].clip(0.1)
    low, high = slopes.min(0), slopes.max(0)
    place = ((slopes - low) / (high - low).clip(1e-9)).clip(0, 0.999)
    cell = (place[:, 1] * _CELLS[0]).astype(int) * _CELLS[1] + (place[:, 0] * _CELLS[1]).astype(int)
    count = _CELLS[0] * _CELLS[1]
    alone = np.bincount(cell, weights**2, count)
    used = alone > 0
    sums = [np.bincount(cell, weights * off[:, axis], count)[used] for axis in (0, 1)]
    together = (np.square(sums) / alone[used]).sum()
    free = max(2 * used.sum() - 6, 1)
    return max(1.0, float(together / free))


def _step(tangent: np.ndarray) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = Rotation.from_rotvec(tangent[3:]).as_matrix()
    T[:3, 3] = tangent[:3]
    return T
