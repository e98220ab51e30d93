# SPDX-License-Identifier: Apache-2.0
"""Doubled walls: how far what is seen again lies from where it was put the first time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.tracking.matching import inside, project, sample, sample_nearest
from dens3r_ros.mapping.update import KeyframeView
from dens3r_ros.sources.source import Truth

_NEAR_M = 0.05
_GRID = 24
"""Points across the longer side of a view that are looked at."""
_SAME = 0.03
"""Relative difference of true depths up to which two views see one surface."""
_SMOOTH = 0.05
"""Relative difference of neighbouring depths beyond which no surface lies between them."""
_AROUND = 2
"""Pixels of the older view around a point, within which its nearest surface is looked for."""


@dataclass(frozen=True, eq=False)
class Visit:
    """A keyframe as it was mapped, `S_world_camera` (4, 4) into metres, and what was true."""

    view: KeyframeView
    S_world_camera: np.ndarray
    truth: Truth
    camera: Intrinsics


def second_pass(visits: Sequence[Visit], gap: int, confidence: float) -> tuple[float, int]:
    """Share of points within 5 cm of where a keyframe at least `gap` older has the same surface,
    and how many there were; what is the same surface is told by the truth."""
    near, count = 0, 0
    for number, visit in enumerate(visits):
        sampled = _sampled(visit, confidence)
        best = np.full(len(sampled[0]), np.inf)
        for older in visits[: max(number - gap + 1, 0)]:
            best = np.minimum(best, _apart(*sampled, older, confidence))
        near += int((best < _NEAR_M).sum())
        count += int(np.isfinite(best).sum())
    return near / count if count else float("nan"), count


def _sampled(visit: Visit, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) points of the world, as they are in truth and as they were mapped."""
    height, width = visit.view.confidence.shape
    step = max(1, max(height, width) // _GRID)
    y, x = (axis.ravel() for axis in np.mgrid[step // 2 : height : step, step // 2 : width : step])
    lens, given = visit.view.intrinsics, visit.camera
    slopes = np.stack(((x - lens.cx) / lens.fx, (y - lens.cy) / lens.fy), 1)
    pixels = slopes * (given.fx, given.fy) + (given.cx, given.cy)
    depth = sample_nearest(visit.truth.depth, pixels).astype(np.float64)
    good = np.isfinite(depth) & (visit.view.confidence[y, x] > confidence)
    good &= inside(pixels, visit.truth.depth.shape)
    rays = np.concatenate((slopes[good], np.ones((int(good.sum()), 1))), 1)
    true = _moved(rays * depth[good, None], visit.truth.T_world_camera)
    mapped = visit.view.points[y[good], x[good]].astype(np.float64)
    return true, _moved(mapped, visit.S_world_camera)


def _apart(true: np.ndarray, mapped: np.ndarray, older: Visit, confidence: float) -> np.ndarray:
    """(N,) metres from the points to the older keyframe's surface; infinite where it did not see
    them."""
    apart = np.full(len(true), np.inf)
    there = _moved(true, np.linalg.inv(older.truth.T_world_camera))
    pixels = project(there, older.camera)
    seen = inside(pixels, older.truth.depth.shape)
    depth = sample_nearest(older.truth.depth, pixels)
    with np.errstate(invalid="ignore"):
        seen &= np.abs(depth / np.maximum(there[:, 2], 1e-6) - 1) < _SAME
    if not seen.any():
        return apart
    found = _moved(mapped[seen], np.linalg.inv(older.S_world_camera))
    at = project(found, older.view.intrinsics)
    inner = inside(at, older.view.confidence.shape, _AROUND + 1)
    nearest = np.full(len(found), np.inf)
    for shift in np.mgrid[-_AROUND : _AROUND + 1, -_AROUND : _AROUND + 1].reshape(2, -1).T:
        nearest = np.minimum(nearest, _to_surface(found, at + shift, older.view, confidence))
    unit = np.cbrt(np.linalg.det(older.S_world_camera[:3, :3]))
    apart[seen] = np.where(inner, unit * nearest, np.inf)
    return apart


def _to_surface(
    points: np.ndarray, pixels: np.ndarray, view: KeyframeView, confidence: float
) -> np.ndarray:
    """(N,) distances to the surface at (N, 2) pixels; infinite where there is none."""
    there = sample(view.points, pixels)
    depth = sample_nearest(view.points[..., 2], pixels)
    known = sample_nearest(view.confidence, pixels) > confidence
    known &= np.abs(there[:, 2] - depth) < _SMOOTH * depth
    return np.where(known, np.linalg.norm(there - points, axis=1), np.inf)


def _moved(points: np.ndarray, T: np.ndarray) -> np.ndarray:
    return points @ T[:3, :3].T + T[:3, 3]
