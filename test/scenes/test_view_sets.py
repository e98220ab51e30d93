# SPDX-License-Identifier: Apache-2.0
"""If these fail, networks of many views learn from views whose depth and poses do not agree."""

import pytest
import torch

from dens3r_ros.scenes import sample_view_sets
from dens3r_ros.training.losses.views_truth import placed


def test_depth_and_poses_of_all_views_describe_one_world():
    sets = sample_view_sets(range(12), 3, 48, 64)
    assert sets.images.shape == (12, 3, 3, 48, 64)
    T_first_view = torch.linalg.inv(sets.T_world_camera[:, :1]) @ sets.T_world_camera
    points = placed(sets.depth, sets.K[:, None], T_first_view.float())[:, 1:].flatten(1, 3)
    known = sets.valid[:, 1:].flatten(1)
    seen = torch.einsum("bij,bnj->bni", sets.K, points)
    column, row = (seen[..., :2] / seen[..., 2:]).round().long().unbind(-1)
    known &= (seen[..., 2] > 0) & (column >= 0) & (column < 64) & (row >= 0) & (row < 48)
    scene, which = known.nonzero().unbind(-1)
    there = sets.depth[scene, 0, row[scene, which], column[scene, which]]
    ratio = points[scene, which, 2] / there
    # Many points of other views are hidden from the first; most of those within its image are not.
    assert len(ratio) > 5000
    assert ((ratio - 1).abs() < 0.05).double().mean() > 0.5


def test_a_set_is_the_same_in_any_batch_and_its_views_differ():
    alone = sample_view_sets([5], 4, 24, 32)
    among = sample_view_sets(range(3, 7), 4, 24, 32, block=3)
    torch.testing.assert_close(alone.depth[0], among.depth[2])
    places = alone.T_world_camera[0, :, :3, 3]
    assert torch.pdist(places).min() > 0


def test_more_views_than_can_be_drawn_are_refused():
    with pytest.raises(ValueError, match="1 to 6 other views"):
        sample_view_sets([1], 8, 24, 32)
