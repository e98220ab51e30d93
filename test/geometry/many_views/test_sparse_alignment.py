# SPDX-License-Identifier: Apache-2.0
"""If these fail, many photos are aligned from wrong depths, along a wrong tree, or uncleaned."""

import numpy as np
import pytest
import torch

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.many_views.canonical_view import canonical_view
from dens3r_ros.geometry.many_views.cloud_cleaning import cleaned_confidences
from dens3r_ros.geometry.many_views.kinematic_tree import kinematic_tree
from dens3r_ros.geometry.many_views.sparse_alignment_loss import (
    Correspondences,
    PlacedView,
    fallback_loss,
    pixels_loss,
    points_loss,
    robust,
)
from dens3r_ros.geometry.rays import unproject

CAMERA = Intrinsics(70.0, 70.0, 32.0, 24.0, 64, 48)
K = torch.tensor(CAMERA.K).float()


@pytest.fixture
def depth():
    y, x = torch.meshgrid(torch.arange(48), torch.arange(64), indexing="ij")
    return 2.0 + 0.3 * torch.sin(x / 11) + 0.01 * y


def test_pairs_are_averaged_by_confidence(depth):
    points = unproject(depth, CAMERA)
    maps = torch.stack((points, points, 3 * points))
    confidences = torch.ones(3, 48, 64) * torch.tensor([5.0, 2.0, 0.9991])[:, None, None]
    view = canonical_view(maps, confidences)
    assert torch.allclose(view.points, points, rtol=1e-3)
    assert view.focal == pytest.approx(70.0, rel=0.01)
    assert view.core_depth.shape == (6, 8)


def test_anchors_give_back_the_depth_of_every_pixel(depth):
    view = canonical_view(unproject(depth, CAMERA)[None], torch.full((1, 48, 64), 3.0))
    y, x = torch.meshgrid(torch.arange(48), torch.arange(64), indexing="ij")
    pixels = torch.stack((x, y), dim=-1).reshape(-1, 2)
    index, shares = view.anchors(pixels)
    assert torch.allclose(view.core_depth.flatten()[index] * shares, depth.flatten(), rtol=1e-4)
    placed = PlacedView(K, torch.eye(4), view.core_depth.flatten(), 70.0)
    world = placed.world_points(pixels, index, shares)
    assert torch.allclose(placed.project(world), pixels.float(), atol=1e-3)


def test_sides_that_are_no_multiple_are_refused():
    with pytest.raises(ValueError, match="60x48 is no multiple of 8"):
        canonical_view(torch.zeros(1, 48, 60, 3), torch.ones(1, 48, 60))


def test_tree_joins_groups_once_and_places_every_image_from_the_root():
    matches = np.full((8, 8), 2.0)
    matches[:4, :4] = matches[4:, 4:] = 220
    matches[1, 5] = matches[5, 1] = 90
    np.fill_diagonal(matches, 0)
    root, edges = kinematic_tree(matches, np.full(8, 100))
    assert sum((a < 4) != (b < 4) for a, b in edges) == 1
    placed = {root}
    for parent, child in edges:
        assert parent in placed and child not in placed
        placed.add(child)
    assert placed == set(range(8))


def test_one_image_has_no_tree():
    assert kinematic_tree(np.zeros((1, 1)), np.array([10])) == (0, [])


@pytest.mark.parametrize("power", [0.5, 1.1, 1.5])
def test_distances_count_one_for_one_near_nothing(power):
    distance = torch.tensor([0.0, 1e-4], dtype=torch.float64)
    assert float(robust(distance, power)[0]) == 0
    assert float(robust(distance, power)[1]) == pytest.approx(1e-4, rel=1e-2)


def test_losses_are_nothing_where_all_agrees_and_grow_with_what_does_not(depth):
    points = unproject(depth, CAMERA).reshape(-1, 3)
    pixels = PlacedView(K, torch.eye(4), depth.flatten(), 70.0).project(points)
    aside = torch.eye(4)
    aside[0, 3] = 0.4
    views = {0: PlacedView(K, torch.eye(4), depth, 70.0), 1: PlacedView(K, aside, depth, 70.0)}
    weights = torch.ones(len(points))
    match = Correspondences(0, 1, points, points, pixels, views[1].project(points), weights)
    off = Correspondences(0, 1, points, points + 0.1, pixels, views[1].project(points), weights)
    assert float(points_loss([match])) == 0 and float(pixels_loss([match], views)) < 1e-4
    assert float(points_loss([off])) > 0.1 and float(pixels_loss([off], views)) > 0.1
    assert float(fallback_loss([])) == 0
    assert float(fallback_loss([(points, points + 0.1, weights)])) > 0.001


def test_a_point_in_front_of_a_sure_wall_loses_its_confidence():
    wall = torch.full((48, 64), 4.0)
    near = wall.clone()
    near[20:24, 30:34] = 1.0
    aside = torch.eye(4)
    aside[0, 3] = 0.05
    points = [unproject(near, CAMERA), unproject(wall, CAMERA) + aside[:3, 3]]
    found = cleaned_confidences(
        points,
        [near, wall],
        [torch.full((48, 64), 2.0), torch.full((48, 64), 5.0)],
        torch.stack((K, K)),
        torch.stack((torch.eye(4), aside)),
    )
    assert (found[0] == 0).sum() == 16 and (found[0][20:24, 30:34] == 0).all()
    assert (found[1] == 5).all()
