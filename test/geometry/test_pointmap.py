# SPDX-License-Identifier: Apache-2.0
"""If these fail, cameras without calibration get the wrong field of view."""

import pytest
import torch

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.pointmap import (
    focal_from_points,
    intrinsics_from_points,
)
from dens3r_ros.geometry.rays import unproject


@pytest.fixture
def points():
    generator = torch.Generator().manual_seed(0)
    focals = [70.0, 110.0]
    depth = 1 + 4 * torch.rand(2, 60, 80, generator=generator)
    maps = [
        unproject(depth[k], Intrinsics(focal, focal, 40, 30, 80, 60))
        for k, focal in enumerate(focals)
    ]
    return torch.stack(maps)


@pytest.mark.parametrize("method", ["weiszfeld", "median"])
def test_each_image_of_a_batch_has_its_own_focal(points, method):
    found = focal_from_points(points, method=method)
    assert torch.allclose(found, torch.tensor([70.0, 110.0]), rtol=1e-5)


@pytest.mark.parametrize("method", ["weiszfeld", "median"])
def test_outliers_and_holes_do_not_move_it(points, method):
    generator = torch.Generator().manual_seed(1)
    wild = torch.rand(2, 60, 80, generator=generator) < 0.2
    points[wild] += torch.randn(int(wild.sum()), 3, generator=generator)
    points[:, 5, :7] = torch.nan
    points[:, 9, :7] = 0
    found = focal_from_points(points, method=method)
    assert torch.allclose(found, torch.tensor([70.0, 110.0]), rtol=0.01)


@pytest.mark.parametrize("method", ["weiszfeld", "median"])
def test_unconfident_pixels_do_not_count(points, method):
    confidence = torch.full((2, 60, 80), 3.0)
    points[:, :, :50, 2] *= 2
    confidence[:, :, :50] = 1
    found = focal_from_points(points, confidence, method=method)
    assert torch.allclose(found, torch.tensor([70.0, 110.0]), rtol=1e-5)


def test_equal_confidence_equals_none(published):
    points = published("pairviewer.npz")["pts1"]
    confidence = torch.full(points.shape[:3], 2.0)
    for method in ("weiszfeld", "median"):
        weighted = focal_from_points(points, confidence, method=method)
        assert torch.allclose(weighted, focal_from_points(points, method=method), rtol=1e-6)


def test_camera_of_a_pointmap_is_the_one_that_made_it():
    camera = Intrinsics(65.0, 65.0, 39.5, 29.5, 80, 60)
    points = unproject(torch.full((60, 80), 2.0), camera)
    found = intrinsics_from_points(points)
    assert (found.cx, found.cy, found.width, found.height) == (39.5, 29.5, 80, 60)
    assert found.fx == found.fy == pytest.approx(65.0, rel=1e-5)
