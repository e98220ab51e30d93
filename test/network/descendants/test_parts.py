# SPDX-License-Identifier: Apache-2.0
"""If these fail, poses are no rotations, and splats point anywhere."""

from __future__ import annotations

import torch
from scipy.spatial.transform import Rotation

from dens3r_ros.network.descendants.align3r import normalised_points
from dens3r_ros.network.descendants.gaussians import covariances
from dens3r_ros.network.descendants.reloc3r import nearest_rotation


def test_any_nine_numbers_give_a_rotation() -> None:
    matrices = torch.randn(200, 3, 3, generator=torch.Generator().manual_seed(0))
    found = nearest_rotation(matrices)
    assert torch.allclose(found @ found.mT, torch.eye(3).expand(200, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(found), torch.ones(200), atol=1e-5)
    rotations = torch.from_numpy(Rotation.random(20, random_state=1).as_matrix()).float()
    assert torch.allclose(nearest_rotation(3 * rotations), rotations, atol=1e-5)


def test_covariances_are_those_of_turned_axes() -> None:
    turns = Rotation.random(50, random_state=2)
    scales = torch.rand(50, 3, generator=torch.Generator().manual_seed(3)) + 0.1
    quaternions = torch.from_numpy(turns.as_quat()).float()
    axes = torch.from_numpy(turns.as_matrix()).float() @ torch.diag_embed(scales)
    full = axes @ axes.mT
    rows, columns = torch.triu_indices(3, 3)
    assert torch.allclose(covariances(scales, quaternions), full[:, rows, columns], atol=1e-5)


def test_points_from_depth_fill_the_unit_cube() -> None:
    depth = torch.rand(2, 24, 32, generator=torch.Generator().manual_seed(4)) + 1
    points = normalised_points(depth, 40.0)
    assert torch.allclose(points.amin(dim=(1, 2)), torch.zeros(2, 3))
    assert torch.allclose(points.amax(dim=(1, 2)), torch.ones(2, 3))
