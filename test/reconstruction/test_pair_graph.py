# SPDX-License-Identifier: Apache-2.0
"""If these fail, images that see the same are never compared, or all are at great cost."""

import json
from pathlib import Path

import numpy as np
import pytest

from dens3r_ros.reconstruction.pair_graph import make_pairs, retrieval_pairs

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "pairs.json"


def test_graphs_are_the_published_ones():
    if not PUBLISHED.exists():
        pytest.skip(f"the published results {PUBLISHED} are not on this machine")
    cases = json.loads(PUBLISHED.read_text())
    assert len(cases) > 100
    for case in cases:
        found = make_pairs(case["n"], case["scene_graph"], case["symmetrize"], case["prefilter"])
        assert len(found) == len(set(found))
        assert set(found) == {tuple(pair) for pair in case["pairs_sorted"]}, case


@pytest.mark.parametrize("graph", ["ring", "swin-", "swin-x", "oneref-9"])
def test_says_what_is_wrong_with_a_graph(graph):
    with pytest.raises(ValueError, match=r"expected complete|not among 5"):
        make_pairs(5, graph)


def test_says_what_is_wrong_with_a_limit():
    with pytest.raises(ValueError, match="expected seqD or cycD"):
        make_pairs(5, "complete", within="near")


@pytest.fixture
def similarity():
    """Two groups of look-alikes, 0 to 4 and 5 to 9, each in a row."""
    place = np.array([0, 1, 2, 3, 4, 20, 21, 22, 23, 24], dtype=float)
    return np.exp(-np.abs(place[:, None] - place) / 5)


def test_retrieval_pairs_neighbours_and_keys(similarity):
    pairs = set(retrieval_pairs(similarity, keys=2, neighbours=1))
    assert all((b, a) in pairs and a != b for a, b in pairs)
    assert {(0, 1), (3, 4), (5, 6), (8, 9)} <= pairs
    across = {(a, b) for a, b in pairs if a < 5 <= b}
    assert len(across) == 1, "only the two keys join the groups"


def test_retrieval_reaches_every_image(similarity):
    pairs = retrieval_pairs(similarity, keys=1, neighbours=0)
    assert {image for pair in pairs for image in pair} == set(range(10))
    everything = retrieval_pairs(similarity, keys=50, neighbours=50, symmetric=False)
    assert len(everything) == 45
