# SPDX-License-Identifier: Apache-2.0
"""Errors of aligned cameras and depths, measured as the published ones were."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.geometry.registration import register_similarity
from dens3r_ros.geometry.sim3 import act, scale_of


def alignment_errors(
    T_world_camera: Tensor, focals: Tensor, depths: Tensor, fixture: Fixture
) -> dict[str, float]:
    """All errors that the file states for the published optimiser, by the same names.

    Poses (N, 4, 4), focal lengths (N,), depths (N, H, W), in any common unit and frame.
    """
    true_poses = fixture.tensor("gt_poses")
    poses = T_world_camera.double()
    T = register_similarity(poses[:, :3, 3], true_poses[:, :3, 3])
    misses = act(T, poses[:, :3, 3]) - true_poses[:, :3, 3]
    turned = T[:3, :3] / scale_of(T) @ poses[:, :3, :3]
    absolute = _degrees(true_poses[:, :3, :3].mT @ turned)
    turns, directions = pairwise_errors(poses, true_poses)
    true_depth = fixture.tensor("gt_depth")
    off = (depths * scale_of(T) - true_depth).abs() / true_depth
    focal_off = (focals.double() / fixture.tensor("gt_focals") - 1).abs()
    found = {
        "ate_rmse": misses.square().sum(-1).mean().sqrt(),
        "rot_deg_mean": absolute.mean(),
        "rot_deg_max": absolute.max(),
        "depth_absrel_mean": off.mean(),
        "depth_absrel_median": off.median(),
        "pairwise_rel_rot_deg_mean": turns.mean(),
        "pairwise_rel_rot_deg_max": turns.max(),
        "pairwise_rel_transl_dir_deg_mean": directions.mean(),
        "pairwise_rel_transl_dir_deg_max": directions.max(),
        "focal_mean": focal_off.mean(),
        "focal_max": focal_off.max(),
    }
    return {name: float(value) for name, value in found.items()}


def pairwise_errors(poses: Tensor, true_poses: Tensor) -> tuple[Tensor, Tensor]:
    """Rotation and translation direction, degrees, between every two of (N, 4, 4) poses."""
    first, second = torch.cartesian_prod(torch.arange(len(poses)), torch.arange(len(poses))).T
    first, second = first[first != second], second[first != second]
    found = torch.linalg.inv(poses[first]) @ poses[second]
    true = torch.linalg.inv(true_poses[first]) @ true_poses[second]
    unit, true_unit = (normalize(T[:, :3, 3], dim=-1) for T in (found, true))
    directions = torch.rad2deg(2 * ((unit - true_unit).norm(dim=-1) / 2).asin())
    return _degrees(found[:, :3, :3].mT @ true[:, :3, :3]), directions


def _degrees(rotations: Tensor) -> Tensor:
    """Angles of (..., 3, 3) float64 rotations, exact for small ones too."""
    away = rotations - torch.eye(3, dtype=torch.float64)
    return torch.rad2deg(2 * (away.flatten(-2).norm(dim=-1) / 8**0.5).clamp(max=1).asin())
