# SPDX-License-Identifier: Apache-2.0
"""If these fail, keyframes are placed with the wrong scale, mirrored, or torn by outliers."""

import numpy as np
import pytest
import torch

from dens3r_ros.geometry import tangents
from dens3r_ros.geometry.registration import register_similarity
from dens3r_ros.geometry.sim3 import act, scale_of, split


@pytest.fixture
def cloud():
    return torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(0)).double()


@pytest.fixture
def T():
    tangent = torch.randn(2, 7, generator=torch.Generator().manual_seed(1)).double()
    return torch.from_numpy(np.stack([tangents.exp(one) for one in tangent.numpy()]))


def test_recovers_the_similarity_of_each_batch_element(cloud, T):
    assert torch.allclose(register_similarity(cloud, act(T, cloud)), T, atol=1e-10)


def test_without_scale_gives_a_rigid_transform(cloud, T):
    found = register_similarity(cloud, act(T, cloud), with_scale=False)
    assert torch.allclose(scale_of(found), torch.ones(2).double())
    assert torch.allclose(split(found)[1], split(T)[1], atol=1e-9)


def test_weights_are_those_of_repeated_points(cloud):
    target = cloud + 0.1 * torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(2))
    weights = torch.ones(2, 50)
    weights[:, :10] = 3
    twice = [torch.cat([points, points[:, :10], points[:, :10]], 1) for points in (cloud, target)]
    assert torch.allclose(
        register_similarity(cloud, target, weights), register_similarity(*twice), atol=1e-10
    )


def test_weightless_and_unfinite_points_count_for_nothing(cloud, T):
    target = act(T, cloud)
    weights = torch.ones(2, 50)
    weights[:, :5] = 0
    target[:, :5] += 100
    target[:, 7] = torch.nan
    assert torch.allclose(register_similarity(cloud, target, weights), T, atol=1e-10)


def test_never_mirrors(cloud):
    mirrored = cloud * torch.tensor([1.0, 1.0, -1.0])
    rotation = split(register_similarity(cloud, mirrored))[1]
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(2).double())


def test_points_on_a_plane_are_enough(cloud, T):
    flat = cloud * torch.tensor([1.0, 1.0, 0.0])
    found = register_similarity(flat, act(T, flat))
    assert torch.allclose(found, T, atol=1e-9)
    assert torch.allclose(torch.linalg.det(split(found)[1]), torch.ones(2).double())


@pytest.mark.parametrize(
    "points",
    [torch.zeros(10, 3), torch.arange(10.0)[:, None] * torch.ones(3), torch.eye(3)[:2]],
    ids=["one point", "a line", "two points"],
)
def test_refuses_what_determines_no_rotation(points):
    with pytest.raises(ValueError, match="no rotation is determined"):
        register_similarity(points, points + 1)


def test_refuses_no_weight_at_all(cloud):
    with pytest.raises(ValueError, match="0 have weight"):
        register_similarity(cloud, cloud, torch.zeros(2, 50))
