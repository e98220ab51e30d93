# SPDX-License-Identifier: Apache-2.0
"""Motions between two views, many at once, each led to the nearest one that suits the tracks best.

Tracks are pixels as a camera with its principal point at zero sees them. Both views share one focal
length, known to some degree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

NOISE_PIXELS = 0.5
_INDEPENDENT_TRACKS = 100
"""Tracks err together: no number of them tells more than this many that do not."""
_ROUNDS = 15
_ENOUGH = 1e-2
_HOPELESS = 4.0
"""Times the least cost, from which no motion is still expected to become the likeliest."""
_LARGEST_STRETCH = 0.3
_TURNS = np.cross(np.eye(3)[:, None], np.eye(3)[None]).transpose(0, 2, 1)
"""What turning by one radian about x, y and z does to a vector."""
_TURNS_FLAT = _TURNS.reshape(3, 9)


@dataclass(frozen=True, eq=False)
class FocalGuess:
    """A guess of the focal length in pixels, and how far its logarithm may be off."""

    focal: float
    spread: float


@dataclass(frozen=True, eq=False)
class Motions:
    """M motions: R (M, 3, 3) and t (M, 3) of unit length take points of a to b; focal (M,)."""

    R: np.ndarray
    t: np.ndarray
    focal: np.ndarray

    def __getitem__(self, index: np.ndarray) -> Motions:
        return Motions(self.R[index], self.t[index], self.focal[index])


@dataclass(frozen=True, eq=False)
class Fitted:
    """Motions after the fit.

    cost        (M,) by how much each is unlikely, as a negative logarithm
    covariance  (M, 6, 6) of rotation, direction (across itself) and the logarithm of the focal
    miss        (M, N) distance of the tracks from their epipolar lines, in units of the noise
    """

    motions: Motions
    cost: np.ndarray
    covariance: np.ndarray
    miss: np.ndarray


def fitted(a: np.ndarray, b: np.ndarray, starts: Motions, lens: FocalGuess) -> Fitted:
    """Levenberg-Marquardt from every start, on tracks (N, 2) and robust to wrong ones."""
    tracks = _Tracks.of(a, b)
    now = _judged(starts, tracks, lens)
    damping = np.full(len(starts.focal), 1e-2)
    for _ in range(_ROUNDS):
        normal, gradient = _normal_equations(now, tracks, lens)
        after = moved(now.motions, _steps(normal, gradient, damping))
        tried = _judged(after, tracks, lens)
        better = tried.cost < now.cost
        gain = np.where(better, now.cost - tried.cost, 0)
        now = _better(better, tried, now)
        damping = np.where(better, damping / 5, damping * 6)
        settled = (gain < _ENOUGH) & (better | (damping > 1))
        if (settled | (now.cost > _HOPELESS * now.cost.min())).all():
            break
    normal, _ = _normal_equations(now, tracks, lens)
    return Fitted(now.motions, now.cost, np.linalg.inv(normal), now.miss)


@dataclass(frozen=True, eq=False)
class _Tracks:
    """Homogeneous pixels (3, N) of a and b, and their products (9, N)."""

    a: np.ndarray
    b: np.ndarray
    products: np.ndarray

    @classmethod
    def of(cls, a: np.ndarray, b: np.ndarray) -> _Tracks:
        rays_a, rays_b = (np.vstack([pixels.T, np.ones(len(pixels))]) for pixels in (a, b))
        return cls(rays_a, rays_b, (rays_b[:, None] * rays_a[None]).reshape(9, -1))


@dataclass(frozen=True, eq=False)
class _Judged:
    motions: Motions
    miss: np.ndarray
    slope: np.ndarray
    cost: np.ndarray


def _judged(motions: Motions, tracks: _Tracks, lens: FocalGuess) -> _Judged:
    camera = _inverse_camera(motions.focal)
    F = camera @ _crossing(motions.t) @ motions.R @ camera
    in_b, in_a = F[:, :2] @ tracks.a, F.transpose(0, 2, 1)[:, :2] @ tracks.b
    slope = np.sqrt((in_b**2).sum(1) + (in_a**2).sum(1) + 1e-30) * NOISE_PIXELS
    miss = F.reshape(-1, 9) @ tracks.products / slope
    off = np.log(motions.focal / lens.focal) / lens.spread
    return _Judged(
        motions, miss, slope, weight_of_each(miss) * np.log1p(miss**2).sum(1) + off**2 / 2
    )


def _normal_equations(
    now: _Judged, tracks: _Tracks, lens: FocalGuess
) -> tuple[np.ndarray, np.ndarray]:
    """(M, 6, 6) and (M, 6), of rotation, direction and the logarithm of the focal length."""
    motions = now.motions
    camera, cross = _inverse_camera(motions.focal), _crossing(motions.t)
    stretched = camera * np.array([-1.0, -1.0, 0.0])
    E = cross @ motions.R
    turned = (camera @ cross)[:, None] @ _TURNS @ (motions.R @ camera)[:, None]
    tilted = camera[:, None] @ _crossing(_across(motions.t)) @ (motions.R @ camera)[:, None]
    zoomed = stretched @ E @ camera + camera @ E @ stretched
    change = np.concatenate([turned, tilted, zoomed[:, None]], axis=1)
    slopes = change.reshape(len(E), 6, 9) @ tracks.products / now.slope[:, None]
    weight = 2 * weight_of_each(now.miss) / (1 + now.miss**2)
    normal = (slopes * weight[:, None]) @ slopes.transpose(0, 2, 1) + 1e-9 * np.eye(6)
    gradient = (slopes @ (weight * now.miss)[..., None])[..., 0]
    normal[:, 5, 5] += 1 / lens.spread**2
    gradient[:, 5] += np.log(motions.focal / lens.focal) / lens.spread**2
    return normal, gradient


def _steps(normal: np.ndarray, gradient: np.ndarray, damping: np.ndarray) -> np.ndarray:
    damped = normal * (1 + damping[:, None, None] * np.eye(6))
    return -np.linalg.solve(damped, gradient[..., None])[..., 0]


def moved(motions: Motions, steps: np.ndarray) -> Motions:
    """Motions after steps (M, 6) in rotation, direction and the logarithm of the focal length."""
    t = motions.t + (steps[:, None, 3:5] @ _across(motions.t))[:, 0]
    stretch = np.exp(np.clip(steps[:, 5], -_LARGEST_STRETCH, _LARGEST_STRETCH))
    R = _rotations(steps[:, :3]) @ motions.R
    return Motions(R, t / np.linalg.norm(t, axis=1, keepdims=True), motions.focal * stretch)


def _better(better: np.ndarray, one: _Judged, other: _Judged) -> _Judged:
    def chosen(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.where(better.reshape(-1, *(1,) * (first.ndim - 1)), first, second)

    R, t, focal = (
        chosen(getattr(one.motions, name), getattr(other.motions, name))
        for name in ("R", "t", "focal")
    )
    maps = {name: chosen(getattr(one, name), getattr(other, name)) for name in ("miss", "slope")}
    return replace(one, motions=Motions(R, t, focal), cost=chosen(one.cost, other.cost), **maps)


def weight_of_each(miss: np.ndarray) -> float:
    """What one of the tracks (M, N) counts."""
    return min(1.0, _INDEPENDENT_TRACKS / miss.shape[1])


def _inverse_camera(focal: np.ndarray) -> np.ndarray:
    camera = np.zeros((len(focal), 3, 3))
    camera[:, 0, 0] = camera[:, 1, 1] = 1 / focal
    camera[:, 2, 2] = 1
    return camera


def _crossing(vectors: np.ndarray) -> np.ndarray:
    """(..., 3, 3) matrices that take the cross product with vectors (..., 3)."""
    return (vectors @ _TURNS_FLAT).reshape(*vectors.shape, 3)


def _across(directions: np.ndarray) -> np.ndarray:
    """(M, 2, 3) unit vectors at right angles to each direction (M, 3) and to each other."""
    cross = _crossing(directions)
    first = cross[np.arange(len(directions)), :, np.abs(directions).argmin(1)]
    first /= np.sqrt((first**2).sum(1, keepdims=True))
    return np.stack([first, (cross @ first[..., None])[..., 0]], axis=1)


def _rotations(turns: np.ndarray) -> np.ndarray:
    """(M, 3, 3) from rotation vectors (M, 3), by Rodrigues."""
    angle = np.sqrt((turns**2).sum(1))[:, None, None] + 1e-15
    K = _crossing(turns) / angle
    return np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * (K @ K)
