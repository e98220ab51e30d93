# SPDX-License-Identifier: Apache-2.0
"""How many revisits the place index finds, on sequences whose depth and poses are known."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.places.place import Places
from dens3r_ros.sources.source import Source, SourceError

_GRID = (40, 30)
"""Points across and down a view that stand for what it sees."""
_SAME_DEPTH = 0.1
"""Relative difference of depths up to which two views see the same surface."""


@dataclass(frozen=True)
class PlaceOptions:
    """`every`: frames from one keyframe to the next; `gap`: keyframes between a view and its
    earliest revisit; `overlap`: share of the view, in both directions, that makes a revisit."""

    every: int = 20
    gap: int = 10
    overlap: float = 0.25
    first: int = 5


@dataclass(frozen=True)
class PlaceFigures:
    """`recall`: share of revisits with a true place among the first `first` candidates."""

    sequence: str
    keyframes: int
    revisits: int
    recall: float
    recall_at_1: float
    first: int
    overlap: float
    gap: int
    ms_per_keyframe: float


@dataclass(frozen=True, eq=False)
class _VisibleSurface:
    """What one keyframe sees: points (N, 3) in its frame, depth (h, w), pose and camera."""

    points: np.ndarray
    depth: np.ndarray
    T_world_camera: np.ndarray
    camera: Intrinsics


def evaluate_places(
    source: Source, options: PlaceOptions, progress: Callable[[int, int], None] | None = None
) -> PlaceFigures:
    """Query every keyframe among those before it, and remember it."""
    places = Places()
    seen: list[_VisibleSurface] = []
    revisits, hits, first_hits, spent = 0, 0, 0, 0.0
    numbers = range(0, len(source), options.every)
    for number in numbers:
        view = _seen(source, number)
        image = source[number].image
        began = time.perf_counter()
        found = places.query(image, options.first + options.gap)
        places.add(len(seen), image)
        spent += time.perf_counter() - began
        old = seen[: max(len(seen) + 1 - options.gap, 0)]
        true = {n for n, other in enumerate(old) if _overlap(view, other) >= options.overlap}
        ranked = [n for n, _ in found if n < len(old)][: options.first]
        revisits += bool(true)
        hits += not true.isdisjoint(ranked)
        first_hits += not true.isdisjoint(ranked[:1])
        seen.append(view)
        if progress is not None:
            progress(len(seen), len(numbers))
    return PlaceFigures(
        source.name,
        len(seen),
        revisits,
        hits / revisits if revisits else float("nan"),
        first_hits / revisits if revisits else float("nan"),
        options.first,
        options.overlap,
        options.gap,
        1e3 * spent / max(len(seen), 1),
    )


def _seen(source: Source, number: int) -> _VisibleSurface:
    camera, truth = source[number].intrinsics, source.truth(number)
    if camera is None or truth is None:
        raise SourceError(
            f"{source.name} has no pose or no intrinsics for frame {number}; what is a revisit"
            " cannot be told without."
        )
    height, width = truth.depth.shape
    x, y = (
        np.linspace(0, side - 1, count).round().astype(int)
        for side, count in zip((width, height), _GRID, strict=True)
    )
    u, v = (axis.ravel() for axis in np.meshgrid(x, y))
    z = truth.depth[v, u].astype(np.float64)
    known = np.isfinite(z) & (z > 0)
    rays = np.stack(((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(len(u))), 1)
    points = (rays * z[:, None])[known]
    small = cv2.resize(truth.depth, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_NEAREST)
    lens = camera.resized(small.shape[1], small.shape[0])
    return _VisibleSurface(points, small, truth.T_world_camera, lens)


def _overlap(a: _VisibleSurface, b: _VisibleSurface) -> float:
    if a.T_world_camera[:3, 2] @ b.T_world_camera[:3, 2] < 0.3:
        return 0.0
    return min(_share(a, b), _share(b, a))


def _share(a: _VisibleSurface, b: _VisibleSurface) -> float:
    """Share of what a sees that b sees too."""
    T = np.linalg.inv(b.T_world_camera) @ a.T_world_camera
    moved = a.points @ T[:3, :3].T + T[:3, 3]
    moved = moved[moved[:, 2] > 1e-3]
    height, width = b.depth.shape
    u = np.rint(moved[:, 0] / moved[:, 2] * b.camera.fx + b.camera.cx)
    v = np.rint(moved[:, 1] / moved[:, 2] * b.camera.fy + b.camera.cy)
    inside = (u >= 0) & (v >= 0) & (u < width) & (v < height)
    there = b.depth[v[inside].astype(int), u[inside].astype(int)]
    same = np.abs(there / moved[inside, 2] - 1) < _SAME_DEPTH
    return float(same.sum() / max(len(a.points), 1))
