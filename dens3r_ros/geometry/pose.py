# SPDX-License-Identifier: Apache-2.0
"""The pose of a camera from points and the pixels where it sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import poselib
import torch
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation
from torch import Tensor

from dens3r_ros.geometry.camera import Intrinsics

Noise = Literal["pixels", "points"]

_FOCALS_TRIED = 21
_MOST_TRIED = 2000


@dataclass(frozen=True, eq=False)
class CameraPose:
    """Where a camera stands in the frame of the points that it saw."""

    T_world_camera: Tensor
    """(4, 4) float64, rigid."""
    inliers: Tensor
    """(N,) bool: the points that fall within the threshold of their pixels."""
    focal: float
    """In pixels, along x."""


def pose_from_points(
    points: Tensor,
    pixels: Tensor,
    intrinsics: Intrinsics,
    threshold: float = 5.0,
    seed: int = 0,
    iterations: int = 1000,
    noise: Noise = "pixels",
) -> CameraPose | None:
    """The pose from which points (N, 3) appear at pixels (N, 2), by a robust search.

    Equal input and seed give equal output. `threshold` is in pixels, `iterations` bounds the
    search. In the end the inliers' robust reprojection error is least or, where the `noise` is in
    the points and as large near as far, their distance from the pixels' rays: each is the more
    accurate in its case. None where fewer than four points agree on any pose.
    """
    if len(points) < 4:
        return None
    camera = {
        "model": "PINHOLE",
        "width": intrinsics.width,
        "height": intrinsics.height,
        "params": [intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy],
    }
    search = {
        "max_reproj_error": threshold,
        "seed": seed,
        "max_iterations": iterations,
        "min_iterations": min(iterations, 20),
    }
    pose, found = poselib.estimate_absolute_pose(
        pixels.double().cpu().numpy(), points.double().cpu().numpy(), camera, search, {}
    )
    inliers = torch.as_tensor(np.array(found["inliers"], dtype=bool))
    if int(inliers.sum()) < 4:
        return None
    T_camera_points = np.asarray(pose.Rt)
    if noise == "points":
        T_camera_points = _nearest_to_rays(points[inliers], pixels[inliers], intrinsics)
    return CameraPose(_inverted(T_camera_points), inliers, intrinsics.fx)


def pose_and_focal_from_points(
    points: Tensor,
    pixels: Tensor,
    intrinsics: Intrinsics,
    threshold: float = 5.0,
    seed: int = 0,
    iterations: int = 200,
    noise: Noise = "pixels",
) -> CameraPose | None:
    """As `pose_from_points`, for square pixels of unknown focal length.

    Of `intrinsics` only size and principal point are read. Focal lengths from half to three times
    the long side are tried, and the one that most points agree with is refined with the pose.
    """
    side, step = max(intrinsics.width, intrinsics.height), len(points) // _MOST_TRIED + 1
    some_points, some_pixels = points[::step], pixels[::step]
    best: CameraPose | None = None
    for focal in np.geomspace(side / 2, side * 3, _FOCALS_TRIED):
        camera = _with_focal(intrinsics, float(focal))
        found = pose_from_points(some_points, some_pixels, camera, threshold, seed, iterations)
        if found and (best is None or found.inliers.sum() > best.inliers.sum()):
            best = found
    if best is None:
        return None
    focal = _refined_focal(best, some_points, some_pixels, intrinsics)
    camera = _with_focal(intrinsics, focal)
    return pose_from_points(points, pixels, camera, threshold, seed, iterations, noise)


def _nearest_to_rays(points: Tensor, pixels: Tensor, intrinsics: Intrinsics) -> np.ndarray:
    seen, at = points.double().cpu().numpy(), pixels.double().cpu().numpy()
    _, turn, shift = cv2.solvePnP(seen, at, intrinsics.K, None, flags=cv2.SOLVEPNP_SQPNP)
    return np.hstack([cv2.Rodrigues(turn)[0], shift])


def _refined_focal(start: CameraPose, points: Tensor, pixels: Tensor, camera: Intrinsics) -> float:
    seen = points.double().cpu().numpy()[start.inliers]
    offsets = pixels.double().cpu().numpy()[start.inliers] - [camera.cx, camera.cy]
    T_camera_world = np.linalg.inv(start.T_world_camera.numpy())
    rotation, shift = T_camera_world[:3, :3], T_camera_world[:3, 3]

    def misses(change: np.ndarray) -> np.ndarray:
        turned = Rotation.from_rotvec(change[:3]).as_matrix() @ rotation
        local = seen @ turned.T + shift + change[3:6]
        focal = start.focal * np.exp(change[6])
        return (focal * local[:, :2] / local[:, 2:] - offsets).ravel()

    solved = least_squares(misses, np.zeros(7), loss="soft_l1", x_scale="jac")
    return start.focal * float(np.exp(solved.x[6]))


def _with_focal(camera: Intrinsics, focal: float) -> Intrinsics:
    return Intrinsics(focal, focal, camera.cx, camera.cy, camera.width, camera.height)


def _inverted(upper: np.ndarray) -> Tensor:
    """The inverse of a rigid transform given as its upper (3, 4) part."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = upper[:, :3].T, -upper[:, :3].T @ upper[:, 3]
    return torch.from_numpy(T)
