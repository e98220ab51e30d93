# SPDX-License-Identifier: Apache-2.0
"""The pose of a camera from points known elsewhere and the rays on which it sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import poselib
from scipy.spatial.transform import Rotation

from dens3r_ros.mapping.config import TrackingConfig

MIN_MATCHES = 12
"""Fewer matches determine no pose that could be trusted."""
_CELLS = (4, 6)
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


def resect(matches: Matches, start: np.ndarray, sigma: float, config: TrackingConfig) -> Resection:
    """Refine `start` (T_frame_keyframe) robustly; `sigma` is a match's expected error, radians."""
    T = start.copy()
    across = _tangents(matches.rays)
    cost, H, g = _linearised(T, matches, across, sigma, config.huber)
    damping = 1e-4
    for _ in range(config.pose_iterations):
        step = np.linalg.solve(H + damping * np.diag(np.diag(H)) + 1e-12 * np.eye(6), -g)
        moved = _step(step) @ T
        new_cost, new_H, new_g = _linearised(moved, matches, across, sigma, config.huber)
        if new_cost >= cost:
            damping = max(damping, 1e-6) * 10
            if damping > 1e4:
                break
            continue
        done = cost - new_cost < 1e-4 * cost
        T, cost, H, g, damping = moved, new_cost, new_H, new_g, damping * 0.1
        if done:
            break
    return _solved(T, matches, across, sigma, config.huber)


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
        {"max_reproj_error": 4 * sigma, "seed": 0},
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


def _residuals(
    T: np.ndarray, matches: Matches, across: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N, 2) angles off, where the points lie (N, 3), and their distance (N, 1)."""
    seen = matches.points @ T[:3, :3].T + T[:3, 3]
    distance = np.linalg.norm(seen, axis=1, keepdims=True).clip(1e-9)
    off = np.einsum("nij,nj->ni", across, seen / distance)
    behind = (seen * matches.rays).sum(1) <= 0
    off[behind] = np.sign(off[behind]) * np.maximum(np.abs(off[behind]), 1.0)
    return off, seen, distance


def _huber_weights(off: np.ndarray, weights: np.ndarray, limit: float) -> np.ndarray:
    size = np.sqrt((off**2).sum(1)).clip(1e-12)
    return weights * np.minimum(1.0, limit / size)


def _linearised(
    T: np.ndarray, matches: Matches, across: np.ndarray, sigma: float, huber: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """Robust cost, and its normal equations for a small motion (translation, rotation)."""
    off, seen, distance = _residuals(T, matches, across)
    size, limit = np.sqrt((off**2).sum(1)), huber * sigma
    cost = np.where(size < limit, 0.5 * size**2, limit * (size - 0.5 * limit))
    J = _jacobian(across, seen, distance)
    weights = _huber_weights(off, matches.weights, limit)
    JW = J * weights[:, None, None]
    H = np.tensordot(JW, J, ((0, 1), (0, 1)))
    g = np.tensordot(JW, off, ((0, 1), (0, 1)))
    return float((matches.weights * cost).sum()), H, g


def _jacobian(across: np.ndarray, seen: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """(N, 2, 6) of the angles by a small motion applied on the left."""
    ray = seen / distance
    along = np.einsum("nij,nj->ni", across, ray)
    by_point = (across - along[..., None] * ray[:, None]) / distance[..., None]
    return np.concatenate((by_point, np.cross(seen[:, None], by_point)), -1)


def _solved(
    T: np.ndarray, matches: Matches, across: np.ndarray, sigma: float, huber: float
) -> Resection:
    off, seen, distance = _residuals(T, matches, across)
    size = np.sqrt((off**2).sum(1))
    measured = max(1.4826 * float(np.median(np.abs(off))), 0.1 * sigma)
    weights = _huber_weights(off, matches.weights, huber * sigma)
    J = _jacobian(across, seen, distance)
    H = np.tensordot(J * weights[:, None, None], J, ((0, 1), (0, 1)))
    covariance = _clustered_covariance(H, J, weights, off, matches.rays)
    return Resection(T, covariance, size < 3 * max(measured, sigma), measured)


def _clustered_covariance(
    H: np.ndarray, J: np.ndarray, weights: np.ndarray, off: np.ndarray, rays: np.ndarray
) -> np.ndarray:
    """Covariance that takes errors within a cell of the view as one, however many matches.

    The sandwich estimate with one cluster per cell; neighbouring pixels share their errors, so
    their number alone says little.
    """
    slopes = rays[:, :2] / rays[:, 2:].clip(0.1)
    low, high = slopes.min(0), slopes.max(0)
    place = ((slopes - low) / (high - low).clip(1e-9)).clip(0, 0.999)
    cell = (place[:, 1] * _CELLS[0]).astype(int) * _CELLS[1] + (place[:, 0] * _CELLS[1]).astype(int)
    pulls = (J * (weights[:, None] * off)[..., None]).sum(1)
    summed = np.zeros((_CELLS[0] * _CELLS[1], 6))
    np.add.at(summed, cell, pulls)
    used = len(np.unique(cell))
    inverse = np.linalg.inv(H + 1e-9 * np.trace(H) / 6 * np.eye(6))
    return inverse @ (summed.T @ summed) @ inverse * used / max(used - 6, 1)


def _step(tangent: np.ndarray) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = Rotation.from_rotvec(tangent[3:]).as_matrix()
    T[:3, 3] = tangent[:3]
    return T
