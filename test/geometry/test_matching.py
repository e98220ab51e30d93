# SPDX-License-Identifier: Apache-2.0
"""If these fail, images are linked by wrong pixels, or matching them takes all the memory."""

import pytest
import torch

from dens3r_ros.geometry import matching
from dens3r_ros.geometry.matching import (
    fast_reciprocal_matches,
    nearest_by_dot,
    reciprocal_points,
    symmetric_matches,
)


def assert_pixels(found, published, name):
    assert torch.equal(found.pixels_a, published[f"{name}/xy1"])
    assert torch.equal(found.pixels_b, published[f"{name}/xy2"])


def test_nearest_neighbours_are_the_published_ones(published):
    maps = published("fastnn.npz")
    flat_a, flat_b = maps["desc1"].flatten(0, 1), maps["desc2"].flatten(0, 1)
    assert torch.equal(nearest_by_dot(flat_a, flat_b), maps["nn1"])
    assert torch.equal(nearest_by_dot(flat_b, flat_a), maps["nn2"])


@pytest.mark.parametrize("subsample", [4, 8])
@pytest.mark.parametrize(("name", "similarity"), [("dot", "dot"), ("kdtree", "euclidean")])
def test_fast_matches_are_the_published_ones(published, subsample, name, similarity):
    maps = published("fastnn.npz")
    found = fast_reciprocal_matches(maps["desc1"], maps["desc2"], subsample, similarity)
    assert_pixels(found, maps, f"{name}_S{subsample}")


@pytest.mark.parametrize("tolerance", [0, 5])
def test_merge_with_least_confidence_is_the_published_one(published, tolerance):
    maps = published("fastnn.npz")
    found = symmetric_matches(
        [(maps["desc1"], maps["desc2"])],
        maps["qconf1"],
        maps["qconf2"],
        tolerance=tolerance,
        combine="least",
    )
    assert_pixels(found, maps, f"nonsym_tol{tolerance}")
    assert torch.equal(found.confidence, maps[f"nonsym_tol{tolerance}/conf"])


def test_merge_of_both_directions_is_the_published_one(published):
    maps = published("fastnn.npz")
    pairs = [(maps["desc1"], maps["desc2"]), (maps["desc1b"], maps["desc2b"])]
    found = symmetric_matches(pairs, maps["qconf1"], maps["qconf2"])
    assert_pixels(found, maps, "sfm")
    assert torch.allclose(found.confidence, maps["sfm/conf"], rtol=1e-6)


def test_reciprocal_points_are_the_published_ones(published):
    pair = published("pairviewer.npz")
    points_a, points_b = (pair[key][0].reshape(-1, 3)[::3] for key in ("pts1", "pts2"))
    mask, nearest = reciprocal_points(points_a, points_b)
    assert torch.equal(mask, pair["recip_mask_in_P2"])
    assert torch.equal(nearest, pair["recip_nn2_in_P1"])


@pytest.fixture
def unit_vectors():
    vectors = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.normalize(vectors, dim=-1)


def test_small_blocks_change_nothing_and_the_first_of_equals_wins(unit_vectors, monkeypatch):
    keys = torch.cat([unit_vectors[:70], unit_vectors])
    expected = (unit_vectors @ keys.T).max(-1).indices
    monkeypatch.setattr(matching, "_BLOCK_QUERIES", 33)
    monkeypatch.setattr(matching, "_BLOCK_KEYS", 17)
    assert torch.equal(nearest_by_dot(unit_vectors, keys), expected)
    assert expected[:70].tolist() == list(range(70))


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
def test_matches_are_reciprocal_and_follow_a_known_shift(unit_vectors, similarity):
    map_a = unit_vectors.reshape(20, 25, 8)
    map_b = map_a[2:, 3:]
    found = fast_reciprocal_matches(map_a, map_b, 3, similarity)
    covered = (found.pixels_a >= torch.tensor([3, 2])).all(-1)
    shift = found.pixels_a[covered] - found.pixels_b[covered]
    assert covered.sum() >= 30 and (shift == torch.tensor([3, 2])).all()
    forth = nearest_by_dot(map_a.flatten(0, 1), map_b.flatten(0, 1))
    index_a = found.pixels_a[:, 0] + 25 * found.pixels_a[:, 1]
    index_b = found.pixels_b[:, 0] + 22 * found.pixels_b[:, 1]
    assert torch.equal(forth[index_a], index_b)


def test_maps_without_matches_give_none():
    none = fast_reciprocal_matches(torch.ones(4, 4, 2), torch.ones(4, 4, 2), 16)
    assert none.pixels_a.shape == none.pixels_b.shape == (0, 2)
