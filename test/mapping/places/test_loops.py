# SPDX-License-Identifier: Apache-2.0
"""Every loop costs two decodings: on a way walked for the hundredth time most would tell nothing,
and without the others the map drifts apart."""

from types import SimpleNamespace

import numpy as np
import pytest

from dens3r_ros.mapping.config import LoopConfig, MapperConfig
from dens3r_ros.mapping.graph.graph import Edge, PoseGraph
from dens3r_ros.mapping.places.loops import LoopCloser

SURE = np.diag([1e-4] * 3 + [1e-5] * 3 + [1e-4])


class LooksLike:
    """Everything looks like these."""

    def __init__(self, *keyframes: int) -> None:
        self.keyframes = keyframes

    def alike(self, keyframe_id: int, k: int) -> list[tuple[int, float]]:
        return [(i, 0.9) for i in self.keyframes][:k]


def chain(length: int, *loops: tuple[int, int]) -> PoseGraph:
    graph = PoseGraph()
    for n in range(length):
        graph.add_keyframe(n, np.eye(4))
    graph.add_edges([Edge(n, n + 1, np.eye(4), SURE) for n in range(length - 1)])
    graph.add_edges([Edge(i, j, np.eye(4), SURE, loop=True) for i, j in loops])
    return graph


def walked_often(*places: int) -> PoseGraph:
    """Each place has four loops, and keyframe 29 one of them with the first."""
    loops = [(n, place) for place in places for n in (14, 17, 20, 23)]
    return chain(31, (29, places[0]), *loops[1:])


def looked_at(graph: PoseGraph, *alike: int, **loops: int) -> list[int]:
    """Which of the keyframes that look like keyframe 30 are brought back to be verified."""
    asked: list[int] = []
    config = MapperConfig(loops=LoopConfig(**loops))
    closer = LoopCloser(None, config, True, LooksLike(*alike), None, asked.append)
    for _ in closer.close(SimpleNamespace(id=30), graph):
        pass
    return asked


def test_places_far_along_the_chain_are_looked_at() -> None:
    assert looked_at(chain(31), 5, 6, 7) == [5, 6, 7]


def test_a_place_that_a_short_chain_leads_to_is_looked_at_while_it_has_few_loops() -> None:
    assert looked_at(chain(31, (29, 5)), 5, 12) == [5, 12]


def test_a_place_with_many_loops_is_left_alone_where_a_short_chain_leads_to_it() -> None:
    assert looked_at(walked_often(5), 5, 12) == [12]


def test_two_such_places_are_enough() -> None:
    assert looked_at(walked_often(5, 6), 5, 6, 12) == []


def test_a_small_computer_looks_for_loops_of_some_keyframes_only() -> None:
    assert looked_at(chain(31), 5, 6, interval=3) == [5, 6]
    assert looked_at(chain(31), 5, 6, interval=4) == []
    assert looked_at(chain(31), 5, 6, candidates=1) == [5]


def test_a_chain_surer_than_asked_for_is_found_and_no_other() -> None:
    graph = chain(6)
    doubt = float(np.trace(SURE))
    assert graph.chained(0, 5, 4.5 * doubt) is None
    found = graph.chained(0, 5, 5.5 * doubt)
    assert found is not None
    assert np.trace(found[1]) == pytest.approx(5 * doubt, rel=0.1)
