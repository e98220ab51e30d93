# SPDX-License-Identifier: Apache-2.0
"""The pose of a camera from points known elsewhere and the rays on which it sees them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import poselib

from dens3r_ros.geometry import tangents
from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.tracking.matching import median

MIN_MATCHES = 12
"""Fewer matches determine no pose that could be trusted."""
_CELLS = (3, 4)
"""Rows and columns of the view within which errors are taken to be correlated."""
_SAMPLES = 100
"""Minimal solutions that are tried at least; many more only where few matches agree."""


@dataclass(frozen=True, eq=False)
class RayMatches:
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
    frame, translation first; agree (N,) bool: matches within three sigma; sigma: radians; floor
    (6, 6): what of the covariance no number of matches averages out.
    """

    T_frame_keyframe: np.ndarray
    covariance: np.ndarray
    agree: np.ndarray
    sigma: float
    floor: np.ndarray = field(default_factory=lambda: np.zeros((6, 6)))

    @property
    def inliers(self) -> float:
        """Share of matches that agree."""
        return float(self.agree.mean())

    def with_floor(self, error: tuple[float, float], depth: float) -> Resection:
        """Never surer than `error`: a share of the scene's depth, and radians."""
        floors = np.array([error[0] * depth] * 3 + [error[1]] * 3)
        floor = np.diag(floors**2)
        return replace(self, covariance=self.covariance + floor, floor=floor)


def agreed(first: Resection, second: Resection) -> tuple[np.ndarray, np.ndarray]:
    """T_frame_keyframe and covariance of two independent solutions together."""
    apart = second.T_frame_keyframe @ np.linalg.inv(first.T_frame_keyframe)
    gain = first.covariance @ np.linalg.inv(first.covariance + second.covariance)
    T = tangents.exp(gain @ tangents.log(apart)[:6]) @ first.T_frame_keyframe
    return T, (np.eye(6) - gain) @ first.covariance


def resect(
    matches: RayMatches, start: np.ndarray, sigma: float, config: TrackingConfig
) -> Resection:
    """Refine `start` (T_frame_keyframe) robustly; `sigma` is a match's expected error, radians.

    Errors along the epipolar line count less the more an error of the point's depth would show
    there, so that smooth depth errors do not bend the pose.
    """
    T = start.copy()
    sight = _Sight.of(matches)
    best = _linearised(T, sight, sigma, config)
    damping = 1e-4
    for _ in range(config.pose_iterations):
        H = best.H
        step = np.linalg.solve(H + damping * np.diag(np.diag(H)) + 1e-12 * np.eye(6), -best.g)
        moved = _step(step) @ T
        new = _linearised(moved, sight, sigma, config)
        if new.cost >= best.cost:
            damping = max(damping, 1e-6) * 10
            if damping > 1e4:
                break
            continue
        done = best.cost - new.cost < 1e-4 * best.cost
        T, best, damping = moved, new, damping * 0.1
        if done:
            break
    return _solved(T, sight, best, sigma)


def resect_from_scratch(
    matches: RayMatches, sigma: float, config: TrackingConfig, most: int = 1000
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
        {"max_reproj_error": 4 * sigma, "seed": config.seed, "min_iterations": _SAMPLES},
        {},
    )
    start = np.eye(4)
    start[:3] = pose.Rt
    if not np.isfinite(start).all():
        return None
    return resect(matches, start, sigma, config)


@dataclass(frozen=True, eq=False)
class _Sight:
    """Matches laid out by component, which is many times faster: points and rays (3, N), across
    (3, 2, N) two directions across each ray, weights (N,)."""

    points: np.ndarray
    rays: np.ndarray
    across: np.ndarray
    weights: np.ndarray

    @staticmethod
    def of(matches: RayMatches) -> _Sight:
        """The same matches."""
        x, y, z = rays = np.ascontiguousarray(matches.rays.T)
        flat, none = np.abs(x) < 0.9, np.zeros_like(x)
        across = np.empty((3, 2, len(matches)))
        across[:, 0] = np.where(flat, (none, z, -y), (-z, none, x))
        across[:, 0] /= np.sqrt(_dot(across[:, 0], across[:, 0]))
        _cross(rays, across[:, 0], across[:, 1])
        return _Sight(np.ascontiguousarray(matches.points.T), rays, across, matches.weights)


@dataclass(frozen=True, eq=False)
class _Linearised:
    """What the errors say at one pose: whitened errors (2, N) and their sizes (N,), robust weights
    (N,), the robust cost, and its normal equations for a small motion."""

    off: np.ndarray
    size: np.ndarray
    weights: np.ndarray
    cost: float
    H: np.ndarray
    g: np.ndarray


def _cross(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """(3, ..., N) of (3, N) and (3, ..., N)."""
    np.subtract(a[1] * b[2], a[2] * b[1], out=out[0])
    np.subtract(a[2] * b[0], a[0] * b[2], out=out[1])
    np.subtract(a[0] * b[1], a[1] * b[0], out=out[2])


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) of (D, N) each."""
    return np.einsum("in,in->n", a, b)


def shown_by_depth(matches: RayMatches, T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) angles off under T_frame_keyframe, and their derivative by the logarithm of the
    keyframe's depth."""
    off, _, _, by_depth = _angles(T, _Sight.of(matches))
    return off.T, by_depth.T


def _angles(T: np.ndarray, sight: _Sight) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(2, N) angles off; the points (3, N) in the frame; the angles by those points (3, 2, N), and
    by the logarithm of their depth in the keyframe (2, N)."""
    seen = T[:3, :3] @ sight.points + T[:3, 3:]
    nearness = 1 / np.maximum(np.sqrt(_dot(seen, seen)), 1e-9)
    ray = seen * nearness
    off = np.einsum("ian,in->an", sight.across, ray)
    by_point = sight.across - off * ray[:, None]
    by_point *= nearness
    by_depth = (-T[:3, 3] @ by_point.reshape(3, -1)).reshape(off.shape)
    return off, seen, by_point, by_depth


def _residuals(
    T: np.ndarray, sight: _Sight, sigma: float, depth_sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Whitened errors (2, N), and their derivative (6, 2, N), times sigma, by a small motion
    applied on the left (translation, rotation)."""
    off, seen, by_point, by_depth = _angles(T, sight)
    behind = _dot(seen, sight.rays) <= 0
    if behind.any():
        off[:, behind] = np.where(off[:, behind] < 0, -1.0, 1.0)
    shown = _dot(by_depth, by_depth).clip(1e-24)
    shrink = (1 / np.sqrt(1 + (depth_sigma / sigma) ** 2 * shown) - 1) / shown
    line = shrink * by_depth
    off += line * _dot(by_depth, off)
    by_point += line * np.einsum("an,ian->in", by_depth, by_point)[:, None]
    J = np.empty((6, *off.shape))
    J[:3] = by_point
    _cross(seen, by_point, J[3:])
    return off / sigma, J


def _linearised(T: np.ndarray, sight: _Sight, sigma: float, config: TrackingConfig) -> _Linearised:
    off, J = _residuals(T, sight, sigma, config.sigma_depth)
    size = np.sqrt(_dot(off, off))
    bounded = np.minimum(size, config.huber)
    cost = float(sight.weights @ (bounded * (size - 0.5 * bounded)))
    weights = sight.weights * bounded / np.maximum(size, 1e-12)
    weighed = (J * weights).reshape(6, -1)
    H = weighed @ J.reshape(6, -1).T / sigma**2
    return _Linearised(off, size, weights, cost, H, weighed @ off.ravel() / sigma)


def _solved(T: np.ndarray, sight: _Sight, best: _Linearised, sigma: float) -> Resection:
    spread = max(1.4826 * median(np.abs(best.off)), 0.1)
    variance = spread**2 * _shared(best.off / spread, best.weights, sight.rays)
    H = best.H
    covariance = variance * np.linalg.inv(H + 1e-9 * np.trace(H) / 6 * np.eye(6))
    return Resection(T, covariance, best.size < 3 * max(spread, 1.0), spread * sigma)


def _shared(off: np.ndarray, weights: np.ndarray, rays: np.ndarray) -> float:
    """How many matches say the same, by how far errors (2, N) of unit variance agree within cells
    of the view; 1 where each match errs for itself.

    Neighbouring pixels share their errors, so their number alone would promise far too much.
    """
    slopes = rays[:2] / rays[2].clip(0.1)
    low, high = slopes.min(1)[:, None], slopes.max(1)[:, None]
    place = ((slopes - low) / (high - low).clip(1e-9)).clip(0, 0.999)
    cell = (place[1] * _CELLS[0]).astype(int) * _CELLS[1] + (place[0] * _CELLS[1]).astype(int)
    count = _CELLS[0] * _CELLS[1]
    alone = np.bincount(cell, weights**2, count)
    used = alone > 0
    sums = [np.bincount(cell, weights * off[axis], count)[used] for axis in (0, 1)]
    together = (np.square(sums) / alone[used]).sum()
    free = max(2 * used.sum() - 6, 1)
    return max(1.0, float(together / free))


def _step(tangent: np.ndarray) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(tangent[3:])[0]
    T[:3, 3] = tangent[:3]
    return T
