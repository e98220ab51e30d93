# SPDX-License-Identifier: Apache-2.0
"""A wall that looks the same everywhere ties keyframes together that lie rooms apart; one such
edge bends a whole map."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.config import GraphConfig, KeyframeConfig, MapperConfig
from dens3r_ros.mapping.graph.graph import Edge, PoseGraph
from dens3r_ros.mapping.keyframes.linking import Link, relative_scale
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.tracking.cameras import camera_rays
from dens3r_ros.mapping.tracking.depth.fusion import Canonical
from dens3r_ros.mapping.world import World

CAMERA = Intrinsics(100.0, 100.0, 63.5, 47.5, 128, 96)
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


def test_a_scale_that_a_sliver_of_the_view_tells_is_less_sure() -> None:
    told = [relative_scale(wall(part, 1), wall(1.0, 2), CAMERA, np.eye(4)) for part in (1.0, 0.25)]
    assert all(one is not None and one[0] == pytest.approx(1, abs=0.01) for one in told)
    whole, sliver = (one[1] for one in told if one is not None)
    assert 1.5 * whole < sliver < 3 * whole


def wall(known: float, seed: int) -> Canonical:
    """Uneven depths of which the left part of the view is known, no two alike."""
    height, width = 96, 128
    depth = 2 + np.random.default_rng(seed).normal(0, 0.04, (height, width))
    points = (camera_rays(CAMERA) * depth[..., None]).astype(np.float32)
    weight = np.zeros((height, width), np.float32)
    weight[:, : int(known * width)] = 2
    return Canonical(points, weight)
