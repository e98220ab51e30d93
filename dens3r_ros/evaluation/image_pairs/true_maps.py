# SPDX-License-Identifier: Apache-2.0
"""The truth of a pair in the form of a prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dens3r_ros.evaluation.image_pairs.pair_sets import TruePair
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.normals import normals_from_points
from dens3r_ros.geometry.rays import unproject
from dens3r_ros.sources import Truth

_NORMAL_RADIUS = 3


@dataclass(frozen=True, eq=False)
class TrueMaps:
    """Points (H, W, 3) of both views in a's optical frame, NaN where unknown; normals likewise,
    each in its own frame; T_a_b in metres."""

    points_a: np.ndarray
    points_b: np.ndarray
    normals_a: np.ndarray
    normals_b: np.ndarray
    T_a_b: np.ndarray


def true_maps(pair: TruePair) -> TrueMaps:
    """Points from depth, intrinsics and poses; normals as known, else from the points."""
    T_a_b = np.linalg.inv(pair.truth_a.T_world_camera) @ pair.truth_b.T_world_camera
    points_a, points_b = (
        _points(pair.cameras[0], pair.truth_a),
        _points(pair.cameras[1], pair.truth_b),
    )
    moved = points_b @ T_a_b[:3, :3].T.astype(np.float32) + T_a_b[:3, 3].astype(np.float32)
    normals = _normals(pair.truth_a, points_a), _normals(pair.truth_b, points_b)
    return TrueMaps(points_a, moved, *normals, T_a_b)


def _points(camera: Intrinsics, truth: Truth) -> np.ndarray:
    return unproject(torch.from_numpy(truth.depth), camera).numpy()


def _normals(truth: Truth, points: np.ndarray) -> np.ndarray:
    if truth.normals is not None:
        return np.where(np.isfinite(truth.depth)[..., None], truth.normals, np.nan)
    normals, valid = normals_from_points(torch.from_numpy(points), radius=_NORMAL_RADIUS)
    return torch.where(valid[..., None], normals, torch.nan).numpy()
