# SPDX-License-Identifier: Apache-2.0
"""Depth, normals and surfaces against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree

from dens3r_ros.engines.protocol import Placement
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.normals import normals_from_points
from dens3r_ros.mapping.maps import Maps
from dens3r_ros.mapping.update import KeyframeView
from dens3r_ros.sources.source import Truth

_VOXEL = 0.01
"""Metres to which surfaces are thinned before they are compared."""


@dataclass(frozen=True)
class FrameErrors:
    """One frame's geometry: depth ratios are to the truth; angles in degrees."""

    abs_rel: float
    delta1: float
    coverage: float
    normal_degrees: np.ndarray


@dataclass(frozen=True)
class SurfaceErrors:
    """Mean distances in metres: map to truth, truth to map, and the mean of both."""

    accuracy_m: float
    completeness_m: float

    @property
    def chamfer_m(self) -> float:
        """The mean of both directions."""
        return (self.accuracy_m + self.completeness_m) / 2


def on_engine_pixels(image: np.ndarray, placement: Placement) -> np.ndarray:
    """The nearest original pixel's value for every pixel of the engine."""
    rows, columns = (
        ((np.arange(count) + start + 0.5) * whole / resized - 0.5).round().astype(int)
        for count, start, whole, resized in zip(
            placement.size,
            (placement.top, placement.left),
            placement.original,
            placement.resized,
            strict=True,
        )
    )
    rows = rows.clip(0, placement.original[0] - 1)
    columns = columns.clip(0, placement.original[1] - 1)
    return image[rows[:, None], columns]


def frame_errors(
    maps: Maps, truth: Truth, camera: Intrinsics | None, least_confidence: float, step: int = 4
) -> FrameErrors:
    """Depth and normals of one frame where both truth and confidence allow, every `step` pixels.

    Depth is in the map's unit: scale it by `abs_rel_scaled` later. `camera`, of the truth's
    pixels, gives true normals where the truth has none.
    """
    depth = on_engine_pixels(truth.depth, maps.placement)[::step, ::step]
    known = np.isfinite(depth)
    sure = known & (maps.confidence[::step, ::step] > least_confidence)
    ratio = maps.depth[::step, ::step][sure] / depth[sure]
    normals = true_normals(truth, camera)
    angles = np.zeros(0)
    if normals is not None:
        wanted = on_engine_pixels(normals, maps.placement)[::step, ::step][sure]
        angles = _angles(maps.normals[::step, ::step][sure], wanted)
    return FrameErrors(
        abs_rel=float(np.abs(ratio - 1).mean()) if ratio.size else float("nan"),
        delta1=float((np.maximum(ratio, 1 / ratio) < 1.25).mean()) if ratio.size else 0.0,
        coverage=float(sure.sum() / max(known.sum(), 1)),
        normal_degrees=angles,
    )


def true_normals(truth: Truth, camera: Intrinsics | None) -> np.ndarray | None:
    """(H, W, 3) normals of the truth, 0 where unknown; None where they cannot be had."""
    if truth.normals is not None:
        return np.nan_to_num(truth.normals)
    if camera is None:
        return None
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = np.stack(((x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones_like(x)), -1)
    points = torch.from_numpy((rays * truth.depth[..., None]).astype(np.float32))
    return normals_from_points(points, radius=2)[0].numpy()


def map_points(keyframes: Sequence[KeyframeView], least_confidence: float) -> np.ndarray:
    """(N, 3) confident points of all keyframes in the map."""
    parts = []
    for keyframe in keyframes:
        sure = keyframe.confidence > least_confidence
        T = keyframe.T_map_camera
        parts.append(keyframe.points[sure] @ T[:3, :3].T + T[:3, 3])
    return np.concatenate(parts) if parts else np.zeros((0, 3))


def truth_points(truth: Truth, camera: Intrinsics, step: int = 2) -> np.ndarray:
    """(N, 3) points of a true depth image in the world."""
    depth = truth.depth[::step, ::step]
    y, x = np.nonzero(np.isfinite(depth))
    z = depth[y, x].astype(np.float64)
    points = np.stack(
        ((x * step - camera.cx) / camera.fx * z, (y * step - camera.cy) / camera.fy * z, z), 1
    )
    T = truth.T_world_camera
    return points @ T[:3, :3].T + T[:3, 3]


def compare_surfaces(estimate: np.ndarray, truth: np.ndarray) -> SurfaceErrors:
    """Distances between two clouds (N, 3) in metres, each thinned to a centimetre."""
    estimate, truth = thinned(estimate), thinned(truth)
    if not len(estimate) or not len(truth):
        return SurfaceErrors(float("nan"), float("nan"))
    there, _ = cKDTree(truth).query(estimate)
    back, _ = cKDTree(estimate).query(truth)
    return SurfaceErrors(float(there.mean()), float(back.mean()))


def thinned(points: np.ndarray, voxel: float = _VOXEL) -> np.ndarray:
    """One point a voxel."""
    if not len(points):
        return points
    cells = np.floor(points / voxel).astype(np.int64)
    cells -= cells.min(0)
    extent = cells.max(0) + 1
    keys = (cells[:, 0] * extent[1] + cells[:, 1]) * extent[2] + cells[:, 2]
    return points[np.unique(keys, return_index=True)[1]]


def _angles(normals: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Degrees between unit vectors where both are known."""
    both = (np.abs(normals).sum(-1) > 0) & (np.abs(wanted).sum(-1) > 0)
    cosine = (normals[both] * wanted[both]).sum(-1).clip(-1, 1)
    return np.degrees(np.arccos(cosine))
