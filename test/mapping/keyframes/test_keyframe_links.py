# SPDX-License-Identifier: Apache-2.0
"""A wall that looks the same everywhere ties keyframes together that lie rooms apart; one such
edge bends a whole map."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import GraphConfig, KeyframeConfig, MapperConfig
from dens3r_ros.mapping.graph.graph import Edge, PoseGraph
from dens3r_ros.mapping.keyframes.linking import Link
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.world import World

SURE = np.diag([1e-4] * 3 + [1e-5] * 3 + [1e-4])


@pytest.fixture
def world(walk) -> Iterator[World]:
    config = MapperConfig(
        graph=GraphConfig(neighbours=0, child_process=False),
        keyframes=KeyframeConfig(max_rotation_deg=8),
    )
    with Mapper(OracleEngine(walk, long_side=160), config) as mapper:
        for index in range(24):
            mapper.step(walk[index])
        mapper.finish()
        yield mapper._session.world


def linked(world: World, i: int, j: int, graph: PoseGraph) -> list[Link]:
    """Links between two keyframes, given that graph."""
    made = world.parts.maker.link_both(world.window[j], world.window[i], graph)
    while True:
        try:
            next(made)
        except StopIteration as end:
            return end.value


def told(world: World, i: int, j: int, aside: float) -> PoseGraph:
    """A graph that is sure of where both keyframes are, one of them `aside` in depths."""
    S = world.graph.relative(i, j)
    S[0, 3] += aside * world.window[i].canonical.median_depth
    graph = PoseGraph()
    graph.add_keyframe(i, np.eye(4))
    graph.add_keyframe(j, S)
    graph.add_edges([Edge(i, j, S, SURE)])
    return graph


def test_links_that_the_graph_excludes_are_not_believed_though_both_directions_agree(
    world: World,
) -> None:
    i, j = list(world.graph.poses)[:2]
    assert len(linked(world, i, j, told(world, i, j, 0.0))) == 2
    assert not linked(world, i, j, told(world, i, j, 1.0))
