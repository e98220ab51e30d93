# SPDX-License-Identifier: Apache-2.0
"""Which images are paired with which (`pairs.json`)."""

from __future__ import annotations

from collections.abc import Iterator

from dens3r_ros.evaluation.parity.comparison import Comparison
from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.reconstruction.pair_graph import make_pairs

NAME = "pair graphs"


def recognises(fixture: Fixture) -> bool:
    """Whether the file lists pairs of named graphs."""
    cases = fixture.content
    return (
        isinstance(cases, list)
        and bool(cases)
        and all(
            isinstance(c, dict) and {"n", "scene_graph", "pairs_sorted"} <= set(c) for c in cases
        )
    )


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """The share of pairs that only one of the two has."""
    for case in fixture.content:
        found = make_pairs(case["n"], case["scene_graph"], case["symmetrize"], case["prefilter"])
        published = {tuple(pair) for pair in case["pairs_sorted"]}
        several = len(found) - len(set(found))
        error = (len(set(found) ^ published) + several) / max(len(published), 1)
        name = f"{case['scene_graph']} of {case['n']}, {case['prefilter']}"
        yield Comparison(name, "pairs", error, 0.0, "of pairs")
