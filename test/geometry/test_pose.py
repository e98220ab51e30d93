# SPDX-License-Identifier: Apache-2.0
"""If these fail, a camera that turns on the spot is lost, or placed where it never was."""

import numpy as np
import pytest
import torch

from dens3r_ros.geometry import tangents
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.pose import pose_and_focal_from_points, pose_from_points
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.geometry.sim3 import act, inverse

CAMERA = Intrinsics(420.0, 420.0, 256.0, 192.0, 512, 384)


@pytest.fixture
def view():
    """Points in the world, their pixels, and the pose that sees them there."""
    generator = torch.Generator().manual_seed(0)
    T_world_camera = torch.from_numpy(tangents.exp(np.array([0.5, -0.3, 1.0, 0.2, 0.4, -0.3])))
    pixels = (torch.rand(800, 2, generator=generator) * torch.tensor([512, 384])).long()
    depth = 1 + 4 * torch.rand(800, 1, generator=generator)
    local = pixel_rays(CAMERA)[pixels[:, 1], pixels[:, 0]] * depth
    return act(T_world_camera, local), pixels, T_world_camera


def pose_error(found, expected):
    """Metres and radians between two poses, the larger of both."""
    return float(np.abs(tangents.log((inverse(expected) @ found).numpy())[:6]).max())


@pytest.mark.parametrize("noise", ["pixels", "points"])
def test_finds_the_pose_among_outliers(view, noise):
    points, pixels, expected = view
    points[:320] = points[:320].roll(1, 0)
    found = pose_from_points(points, pixels, CAMERA, threshold=2.0, noise=noise)
    assert pose_error(found.T_world_camera, expected) < 1e-4
    assert bool(found.inliers[320:].all()) and int(found.inliers[:320].sum()) < 10
    assert found.focal == CAMERA.fx


def test_each_noise_model_is_the_more_accurate_where_it_holds(view):
    points, pixels, expected = view
    generator = torch.Generator().manual_seed(1)

    def mean_error(noise, in_pixels, in_points):
        errors = []
        for _ in range(12):
            moved = points + in_points * torch.randn(800, 3, generator=generator)
            seen = pixels + in_pixels * torch.randn(800, 2, generator=generator)
            found = pose_from_points(moved, seen, CAMERA, threshold=20, noise=noise)
            errors.append(pose_error(found.T_world_camera, expected))
        return sum(errors) / len(errors)

    assert mean_error("pixels", 1, 0) < 0.9 * mean_error("points", 1, 0) < 2e-3
    assert mean_error("points", 0, 0.02) < 0.9 * mean_error("pixels", 0, 0.02) < 1e-2


@pytest.mark.parametrize("focal", [300.0, 420.0, 900.0])
def test_finds_an_unknown_focal(view, focal):
    _, pixels, T_world_camera = view
    camera = Intrinsics(focal, focal, 256.0, 192.0, 512, 384)
    depth = 1 + 4 * torch.rand(800, 1, generator=torch.Generator().manual_seed(2))
    points = act(T_world_camera, pixel_rays(camera)[pixels[:, 1], pixels[:, 0]] * depth)
    points[:200] = points[:200].roll(1, 0)
    found = pose_and_focal_from_points(points, pixels, CAMERA)
    assert found.focal == pytest.approx(focal, rel=1e-3)
    assert pose_error(found.T_world_camera, T_world_camera) < 5e-3


def test_equal_seeds_give_equal_poses(view):
    points, pixels, _ = view
    points[:500] = points[:500].roll(1, 0)
    twice = [pose_from_points(points, pixels, CAMERA, seed=5) for _ in range(2)]
    assert torch.equal(twice[0].T_world_camera, twice[1].T_world_camera)


def test_too_few_or_contradicting_points_give_none(view):
    points, pixels, _ = view
    assert pose_from_points(points[:3], pixels[:3], CAMERA) is None
    generator = torch.Generator().manual_seed(3)
    scattered = torch.randn(6, 3, generator=generator)
    assert pose_from_points(scattered, pixels[:6], CAMERA, threshold=1e-6) is None
    assert pose_and_focal_from_points(points[:3], pixels[:3], CAMERA) is None
