# SPDX-License-Identifier: Apache-2.0
"""If these fail, a network learns from moving pairs that things are where they are not."""

import pytest
import torch

from dens3r_ros.scenes import FIRST_TRAINING_SEED, SceneConfig, sample_pairs

H, W, COUNT = 32, 48, 12
SEEDS = range(FIRST_TRAINING_SEED, FIRST_TRAINING_SEED + COUNT)


@pytest.fixture(scope="module")
def still():
    return sample_pairs(SEEDS, H, W)


@pytest.fixture(scope="module")
def moving():
    return sample_pairs(SEEDS, H, W, config=SceneConfig(motion=1.0))


def test_movers_stand_before_the_same_world_in_both_views(still, moving):
    for view in "ab":
        mask = getattr(moving, f"moving_{view}")
        before, after = getattr(still, f"depth_{view}"), getattr(moving, f"depth_{view}")
        assert mask.any() and not getattr(still, f"moving_{view}").any()
        torch.testing.assert_close(after[~mask], before[~mask], rtol=1e-5, atol=1e-5)
        nearer = after[mask] <= before[mask] + 1e-4
        assert (nearer | (before[mask] == 0)).all(), "before the wall, or before the sky"
    assert torch.equal(moving.T_world_b, still.T_world_b)


def test_what_moves_is_matched_with_nothing(moving):
    for view, other in (("a", "b"), ("b", "a")):
        mask = getattr(moving, f"moving_{view}")
        assert not getattr(moving, f"mask_{view}_in_{other}")[mask].any()
        assert (getattr(moving, f"pixels_{view}_in_{other}")[mask] == -1).all()
    n, v, u = moving.mask_a_in_b.nonzero().unbind(-1)
    x, y = moving.pixels_a_in_b.round().long()[n, v, u].unbind(-1)
    assert not moving.moving_b[n, y, x].any(), "nothing is matched with a mover before it"


def test_a_pair_of_an_image_and_itself_stands_still():
    same = sample_pairs(range(2), H, W, config=SceneConfig(same_view=1.0, motion=1.0))
    assert not same.moving_a.any() and torch.equal(same.depth_a, same.depth_b)
