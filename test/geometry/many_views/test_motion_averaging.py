# SPDX-License-Identifier: Apache-2.0
"""If these fail, a photo is placed wrongly in a map from poses relative to its neighbours."""

import pytest
import torch
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.many_views.motion_averaging import averaged_pose, nearest_to_lines


def poses(count, seed, spread=3.0):
    generator = torch.Generator().manual_seed(seed)
    found = torch.eye(4, dtype=torch.float64).repeat(count, 1, 1)
    found[:, :3, :3] = torch.from_numpy(Rotation.random(count, random_state=seed).as_matrix())
    found[:, :3, 3] = spread * torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return found


def degrees(R):
    return torch.rad2deg(((R.trace() - 1) / 2).clamp(-1, 1).acos())


@pytest.mark.parametrize("seed", range(5))
def test_exact_relative_poses_of_any_length_give_the_pose(seed):
    known, camera = poses(6, seed), poses(1, 100 + seed)[0]
    relative = torch.linalg.inv(known) @ camera
    relative[:, :3, 3] *= torch.rand(6, 1, dtype=torch.float64) + 0.2
    assert torch.allclose(averaged_pose(known, relative), camera, atol=1e-9)


def test_one_wrong_rotation_of_seven_changes_little():
    known, camera = poses(7, 1), poses(1, 2)[0]
    relative = torch.linalg.inv(known) @ camera
    relative[3, :3, :3] = poses(1, 3)[0, :3, :3]
    found = averaged_pose(known, relative)
    assert float(degrees(found[:3, :3].T @ camera[:3, :3])) < 1e-3


def test_signs_of_quaternions_do_not_matter():
    """About a half turn, equal rotations come with quaternions of either sign."""
    near = Rotation.from_rotvec([[0, 3.14159, 0.01], [0, -3.14159, 0.01], [0, 3.14158, -0.01]])
    known = poses(3, 4)
    known[:, :3, :3] = torch.from_numpy(near.as_matrix())
    relative = torch.eye(4, dtype=torch.float64).repeat(3, 1, 1)
    relative[:, 0, 3] = 1.0
    found = averaged_pose(known, relative)[:3, :3]
    assert all(float(degrees(found.T @ R)) < 1.0 for R in known[:, :3, :3])


def test_parallel_lines_still_give_a_point_on_them():
    points = torch.tensor([[0.0, 0, 0], [1.0, 0, 0]], dtype=torch.float64)
    along = torch.tensor([[1.0, 0, 0], [2.0, 0, 0]], dtype=torch.float64)
    assert torch.allclose(nearest_to_lines(points, along)[1:], torch.zeros(2, dtype=torch.float64))
