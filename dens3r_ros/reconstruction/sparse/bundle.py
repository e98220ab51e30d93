# SPDX-License-Identifier: Apache-2.0
"""Poses, focal lengths and depth of anchors at once, such that photos see anchors where they did.

An anchor is a ray of its photo and an inverse depth along it; Levenberg-Marquardt eliminates those
and solves for cameras alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import spsolve
from scipy.spatial.transform import Rotation

_DENSE = 700
"""Photos up to which cameras are solved for as a full matrix."""
_HELD = 1e10
_LEAST_SCALE = 0.7
"""Pixels of deviation that are always believed."""
_ENOUGH = 2e-4
_NEAREST = 1e-3


@dataclass(frozen=True, eq=False)
class BundleProblem:
    """What was seen, of N photos with their lenses fx, fy, cx, cy (N, 4) in G groups (N,).

    pixels (A, 2) and photo (A,) of every anchor; anchor (K,), seen_by (K,) and there (K, 2) of
    every sighting; spread (G,) of the logarithms of focal lengths, 0 where known; inverse_prior
    (A,) is drawn to with a relative deviation of `depth_spread`.
    """

    lenses: np.ndarray
    group: np.ndarray
    spread: np.ndarray
    pixels: np.ndarray
    photo: np.ndarray
    anchor: np.ndarray
    seen_by: np.ndarray
    there: np.ndarray
    inverse_prior: np.ndarray
    depth_spread: float = 1.0


@dataclass(frozen=True, eq=False)
class BundleScene:
    """R (N, 3, 3) and c (N, 3) take points of photos to the world; log_focal (G,) is how much
    longer focal lengths are than in the problem; inverse (A,) depth of anchors."""

    R: np.ndarray
    c: np.ndarray
    log_focal: np.ndarray
    inverse: np.ndarray


@dataclass(frozen=True, eq=False)
class _Seen:
    rays: np.ndarray
    turned: np.ndarray
    shift: np.ndarray
    local: np.ndarray
    scale: np.ndarray
    off: np.ndarray


def residuals(problem: BundleProblem, scene: BundleScene) -> np.ndarray:
    """(K, 2) pixels by which sightings are missed; infinite where an anchor is behind."""
    seen = _seen(problem, scene)
    return np.where(seen.local[:, 2:] > _NEAREST, seen.off, np.inf)


def _seen(problem: BundleProblem, scene: BundleScene) -> _Seen:
    p, q = problem.photo[problem.anchor], problem.seen_by
    factor = np.exp(scene.log_focal)[problem.group]
    lens_p, lens_q = problem.lenses[p], problem.lenses[q]
    slopes = (problem.pixels[problem.anchor] - lens_p[:, 2:]) / (lens_p[:, :2] * factor[p, None])
    rays = np.column_stack([slopes, np.ones(len(p))])
    turned = np.einsum("kji,kj->ki", scene.R[q], np.einsum("kij,kj->ki", scene.R[p], rays))
    shift = np.einsum("kji,kj->ki", scene.R[q], scene.c[p] - scene.c[q])
    local = turned + scene.inverse[problem.anchor, None] * shift
    scale = lens_q[:, :2] * factor[q, None]
    at = local[:, :2] / np.maximum(local[:, 2:], _NEAREST) * scale + lens_q[:, 2:]
    return _Seen(rays, turned, shift, local, scale, at - problem.there)


def solve(problem: BundleProblem, scene: BundleScene, steps: int = 30) -> BundleScene:
    """The scene that suits all sightings best, near the given one; the first photo stays."""
    damping, scale = 1e-4, _usual_miss(problem, scene, 8.0)
    cost = _cost(problem, scene, scale)
    for _ in range(steps):
        moved = _step(problem, scene, scale, damping)
        new = np.inf if moved is None else _cost(problem, moved, scale)
        if moved is None or not new < cost:
            damping *= 10
            if damping > 1e4:
                break
            continue
        gain = (cost - new) / cost
        scene, damping = moved, max(damping / 5, 1e-9)
        narrower = _usual_miss(problem, scene, scale)
        if gain < _ENOUGH and narrower > 0.95 * scale:
            break
        scale, cost = narrower, _cost(problem, scene, narrower)
    return scene


def _usual_miss(problem: BundleProblem, scene: BundleScene, most: float) -> float:
    off = np.linalg.norm(residuals(problem, scene), axis=1)
    return float(np.clip(1.5 * np.median(off), _LEAST_SCALE, most))


def _cost(problem: BundleProblem, scene: BundleScene, scale: float) -> float:
    squares = (np.minimum(residuals(problem, scene), 1e4) ** 2).sum(1) / scale**2
    known = np.maximum(problem.spread, 1e-6)
    focal = ((scene.log_focal / known) ** 2).sum()
    return float(np.log1p(squares).sum() + focal + (_pull(problem, scene)[0] ** 2).sum())


def _pull(problem: BundleProblem, scene: BundleScene) -> tuple[np.ndarray, np.ndarray]:
    """What anchors' depth misses what pairs said, in deviations, and the slope of that."""
    slope = 1 / (problem.inverse_prior * problem.depth_spread)
    return (scene.inverse - problem.inverse_prior) * slope, slope


def _step(
    problem: BundleProblem, scene: BundleScene, scale: float, damping: float
) -> BundleScene | None:
    """One damped step; None where the system is singular."""
    seen = _seen(problem, scene)
    squares = (seen.off**2).sum(1) / scale**2
    weight = np.where(seen.local[:, 2] > _NEAREST, 1 / (1 + squares), 0) / scale**2
    J, by_depth = _jacobians(problem, scene, seen)
    root = np.sqrt(np.repeat(weight, 2))
    J = diags_array(root) @ J
    by_depth, off = root * by_depth.ravel(), root * seen.off.ravel()
    anchors = np.repeat(problem.anchor, 2)
    pull, slope = _pull(problem, scene)
    h = np.bincount(anchors, by_depth**2, len(slope)) + slope**2
    h *= 1 + damping
    g_depth = np.bincount(anchors, by_depth * off, len(slope)) + slope * pull
    E = (J.T @ coo_array((by_depth, (np.arange(len(off)), anchors)), (len(off), len(h)))).tocsr()
    H = (J.T @ J).tocsr()
    held = np.zeros(H.shape[0])
    held[:6] = _HELD
    held[6 * len(scene.R) :] = np.where(
        problem.spread > 0, 1 / problem.spread.clip(1e-6) ** 2, _HELD
    )
    g = J.T @ off
    g[6 * len(scene.R) :] += held[6 * len(scene.R) :] * scene.log_focal
    extra = damping * H.diagonal() + held + 1e-9 * H.diagonal().max()
    S = H + diags_array(extra) - E @ diags_array(1 / h) @ E.T
    step = _solved(S, g - E @ (g_depth / h), len(scene.R))
    if step is None:
        return None
    change = -(g_depth + E.T @ step) / h
    return _moved(scene, step, change)


def _solved(S: coo_array, g: np.ndarray, photos: int) -> np.ndarray | None:
    if photos > _DENSE:
        found = np.asarray(spsolve(S.tocsc(), -g))
        return found if np.isfinite(found).all() else None
    try:
        return np.asarray(cho_solve(cho_factor(S.toarray(), overwrite_a=True), -g))
    except LinAlgError:
        return None


def _moved(scene: BundleScene, step: np.ndarray, change: np.ndarray) -> BundleScene:
    count = len(scene.R)
    motion = step[: 6 * count].reshape(-1, 6)
    turned = Rotation.from_rotvec(np.clip(motion[:, :3], -0.5, 0.5)).as_matrix()
    return replace(
        scene,
        R=scene.R @ turned,
        c=scene.c + motion[:, 3:],
        log_focal=scene.log_focal + np.clip(step[6 * count :], -0.2, 0.2),
        inverse=np.maximum(scene.inverse + change, 0.2 * scene.inverse),
    )


def _jacobians(
    problem: BundleProblem, scene: BundleScene, seen: _Seen
) -> tuple[coo_array, np.ndarray]:
    """Of all residuals by cameras, (2 K, 6 N + G) sparse, and by the anchors' inverse depth."""
    p, q, count = problem.photo[problem.anchor], problem.seen_by, len(scene.R)
    inverse = scene.inverse[problem.anchor]
    slope = _projection(seen)
    R_q = slope @ scene.R[q].transpose(0, 2, 1)
    own = R_q @ scene.R[p]
    aside = np.column_stack([-seen.rays[:, :2], np.zeros(len(p))])
    parts = [
        (6 * p[:, None] + np.arange(3), -own @ _crossing(seen.rays)),
        (6 * p[:, None] + np.arange(3, 6), inverse[:, None, None] * R_q),
        (6 * q[:, None] + np.arange(3), slope @ _crossing(seen.local)),
        (6 * q[:, None] + np.arange(3, 6), -inverse[:, None, None] * R_q),
        (6 * count + problem.group[p][:, None], own @ aside[..., None]),
        (
            6 * count + problem.group[q][:, None],
            (seen.local[:, :2] / np.maximum(seen.local[:, 2:], _NEAREST) * seen.scale)[..., None],
        ),
    ]
    values = np.concatenate([part for _, part in parts], axis=2)
    columns = np.repeat(np.concatenate([at for at, _ in parts], axis=1)[:, None], 2, axis=1)
    rows = np.repeat(np.arange(2 * len(p)), values.shape[2])
    shape = 2 * len(p), 6 * count + len(problem.spread)
    J = coo_array((values.ravel(), (rows, columns.ravel())), shape).tocsr()
    return J, (slope @ seen.shift[..., None])[..., 0]


def _projection(seen: _Seen) -> np.ndarray:
    """(K, 2, 3) how pixels follow points in the camera's frame."""
    depth = np.maximum(seen.local[:, 2], _NEAREST)
    slope = np.zeros((len(depth), 2, 3))
    for axis in range(2):
        slope[:, axis, axis] = seen.scale[:, axis] / depth
        slope[:, axis, 2] = -seen.scale[:, axis] * seen.local[:, axis] / depth**2
    return slope


def _crossing(vectors: np.ndarray) -> np.ndarray:
    """(K, 3, 3) matrices that take the cross product of vectors (K, 3) with another."""
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
