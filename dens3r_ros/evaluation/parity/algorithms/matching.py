# SPDX-License-Identifier: Apache-2.0
"""Reciprocal matches of descriptor maps (`fastnn.npz`)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dens3r_ros.evaluation.parity.comparison import Comparison, of_scale, share_differing
from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.geometry.matching import (
    PixelMatches,
    Similarity,
    fast_reciprocal_matches,
    nearest_by_dot,
    symmetric_matches,
)

NAME = "matching"
_SIMILARITIES: dict[str, Similarity] = {"dot": "dot", "kdtree": "euclidean"}


def recognises(fixture: Fixture) -> bool:
    """Whether the file holds two descriptor maps and their neighbours."""
    return {"desc1", "desc2", "nn1", "nn2"} <= fixture.names


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Neighbours, matches from seeds, and both published ways to merge directions."""
    maps = fixture.tensor("desc1"), fixture.tensor("desc2")
    flat_a, flat_b = (one.flatten(0, 1) for one in maps)
    yield share_differing("", "nn1", nearest_by_dot(flat_a, flat_b), fixture.array("nn1"))
    yield share_differing("", "nn2", nearest_by_dot(flat_b, flat_a), fixture.array("nn2"))
    for folder in fixture.folders(""):
        found = _matches(fixture, folder)
        if found is not None:
            yield from _against(fixture, folder, found)


def _matches(fixture: Fixture, folder: str) -> PixelMatches | None:
    maps = fixture.tensor("desc1"), fixture.tensor("desc2")
    if seeds := re.fullmatch(r"(dot|kdtree)_S(\d+)", folder):
        return fast_reciprocal_matches(*maps, int(seeds[2]), _SIMILARITIES[seeds[1]])
    if merged := re.fullmatch(r"nonsym_tol(\d+)", folder):
        confidences = fixture.tensor("qconf1"), fixture.tensor("qconf2")
        return symmetric_matches([maps], *confidences, tolerance=int(merged[1]), combine="least")
    if folder == "sfm":
        pairs = [maps, (fixture.tensor("desc1b"), fixture.tensor("desc2b"))]
        return symmetric_matches(pairs, fixture.tensor("qconf1"), fixture.tensor("qconf2"))
    return None


def _against(fixture: Fixture, folder: str, found: PixelMatches) -> Iterator[Comparison]:
    yield share_differing("", f"{folder}/xy1", found.pixels_a, fixture.array(f"{folder}/xy1"))
    yield share_differing("", f"{folder}/xy2", found.pixels_b, fixture.array(f"{folder}/xy2"))
    if f"{folder}/conf" in fixture.names:
        yield of_scale("", f"{folder}/conf", found.confidence, fixture.array(f"{folder}/conf"))
