# SPDX-License-Identifier: Apache-2.0
"""Where a camera stands that sees points of a frame other than its own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.engines.protocol import Features
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.pointmap import intrinsics_from_points
from dens3r_ros.geometry.pose import pose_from_points

_LEAST_CONFIDENCE = 1.001
"""Below it a pixel counts for nothing, as published."""
_MOST, _FEWEST = 5000, 50
"""Pixels that are asked, and of which fewer tell nothing."""
_LEAST_AGREEING = 0.25
"""Share of these that must agree on a pose."""


def camera_of(features: Features, points: Tensor, confidence: Tensor) -> Intrinsics | None:
    """The camera of a view by its points (H, W, 3) in its own frame, unless the frame brings it;
    None where neither tells."""
    if features.intrinsics is not None:
        return features.intrinsics
    found = intrinsics_from_points(points, confidence)
    return found if np.isfinite(found.fx) and found.fx > 0 else None


def standing(points: Tensor, confidence: Tensor, camera: Intrinsics) -> np.ndarray | None:
    """T_points_camera (4, 4) float64 of a view by its points (H, W, 3) in another frame; None where
    too few pixels agree on one."""
    sure = (confidence > _LEAST_CONFIDENCE) & points.isfinite().all(-1)
    rows, columns = sure.nonzero().unbind(-1)
    if len(rows) < _FEWEST:
        return None
    chosen = slice(None, None, len(rows) // _MOST + 1)
    rows, columns = rows[chosen], columns[chosen]
    pixels = torch.stack((columns, rows), -1)
    found = pose_from_points(points[rows, columns], pixels, camera, noise="points")
    if found is None or float(found.inliers.float().mean()) < _LEAST_AGREEING:
        return None
    T = found.T_world_camera.numpy()
    return T if np.isfinite(T).all() else None


def seen_from(T_points_camera: np.ndarray, points: Tensor) -> Tensor:
    """Points (..., 3) in the frame of a camera that stands so."""
    T = torch.as_tensor(np.linalg.inv(T_points_camera), dtype=points.dtype, device=points.device)
    return points @ T[:3, :3].T + T[:3, 3]
