# SPDX-License-Identifier: Apache-2.0
"""Depth, normals and surfaces against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree

from dens3r_ros.evaluation.engine_pixels import on_engine_pixels
from dens3r_ros.evaluation.metrics.normals import normal_angles
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.normals import normals_from_points
from dens3r_ros.geometry.rays import unproject
from dens3r_ros.mapping.maps import Maps
from dens3r_ros.mapping.update import KeyframeView
from dens3r_ros.sources.source import Truth

_NORMAL_RADIUS = 3
_VOXEL = 0.01
"""Metres to which surfaces are thinned before they are compared."""


@dataclass(frozen=True, eq=False)
class FrameErrors:
    """depth_ratio (N,): depth in the map's unit by the truth in metres; coverage: share of the
    truth that is confident; normal_degrees (M,)."""

    depth_ratio: np.ndarray
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


def frame_errors(
    maps: Maps, truth: Truth, camera: Intrinsics | None, least_confidence: float, step: int = 4
) -> FrameErrors:
    """One frame's geometry where truth is known and confidence suffices, every `step` pixels.

    `camera`, of the truth's pixels, gives true normals where the truth has none.
    """

    def thin(image: np.ndarray) -> np.ndarray:
        return on_engine_pixels(image, maps.placement)[::step, ::step]

    depth = thin(truth.depth)
    known = np.isfinite(depth)
    sure = known & (maps.confidence[::step, ::step] > least_confidence)
    normals = true_normals(truth, camera)
    angles = np.zeros(0)
    if normals is not None:
        found, wanted = maps.normals[::step, ::step][sure], thin(normals)[sure]
        both = (np.abs(found).sum(-1) > 0) & (np.abs(wanted).sum(-1) > 0)
        angles = normal_angles(found[both], wanted[both])
    coverage = float(sure.sum() / max(known.sum(), 1))
    return FrameErrors(maps.depth[::step, ::step][sure] / depth[sure], coverage, angles)


def true_normals(truth: Truth, camera: Intrinsics | None) -> np.ndarray | None:
    """(H, W, 3) normals of the truth, 0 where unknown; None where they cannot be had."""
    if truth.normals is not None:
        return np.nan_to_num(truth.normals)
    if camera is None:
        return None
    points = unproject(torch.from_numpy(truth.depth), camera)
    return normals_from_points(points, radius=_NORMAL_RADIUS)[0].numpy()


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
    points = unproject(torch.from_numpy(truth.depth), camera).numpy()[::step, ::step]
    points = points[np.isfinite(points).all(-1)].astype(np.float64)
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
