# SPDX-License-Identifier: Apache-2.0
"""If these fail, images are linked by wrong pixels, or matching them takes all the memory."""

import pytest
import torch

from dens3r_ros.geometry import matching
from dens3r_ros.geometry.matching import (
    fast_reciprocal_matches,
    nearest_by_dot,
)


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
