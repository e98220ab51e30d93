# SPDX-License-Identifier: Apache-2.0
"""Without what was felt a map with an IMU shrinks and bends by and by, though its sensor knew
better."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.geometry import tangents
from dens3r_ros.mapping.graph.felt import FeltEdges, FeltVisit, FeltWay
from dens3r_ros.mapping.graph.graph import Edge, PoseGraph, rigid, scale_of
from dens3r_ros.mapping.graph.solver import Solver

SPREAD = np.diag([1e-4] * 3 + [1e-5] * 3 + [2e-3])
COUNT = 20
METRES = 2.0
"""Of the map's unit."""


def shrinking() -> tuple[PoseGraph, list[np.ndarray]]:
    """A chain whose edges say that every unit is shorter than it is and every keyframe tilted, and
    the keyframes' true poses and units."""
    graph = PoseGraph()
    step = tangents.exp(np.array([0.5, 0, 0, 0, 0, 0.2, 0]))
    wrong = tangents.exp(np.array([0.5, 0, 0, 0.01, 0, 0.2, 0]))
    wrong[:3, :3] /= 1.02
    S, true = np.eye(4), [np.eye(4)]
    for n in range(COUNT):
        graph.add_keyframe(n, S)
        if n:
            graph.add_edges([Edge(n - 1, n, wrong, SPREAD)])
            true.append(true[-1] @ step)
        S = S @ wrong
    return graph, true


def felt(true: list[np.ndarray], tied: bool = True) -> FeltWay:
    """What a sensor says that knows the truth, in metres and in a frame of its own."""
    askew = tangents.exp(np.array([3.0, -1, 2, 0, 0, 0.7, np.log(METRES)]))
    visits = [FeltVisit(n * 10**9, n, askew @ S, 0.02) for n, S in enumerate(true)]
    return FeltWay(visits, [tied] * (len(visits) - 1), METRES)


def solved(solver: Solver, graph: PoseGraph) -> dict[int, np.ndarray]:
    solver.add(graph.take_changes())
    return solver.solve()


def tilt(poses: dict[int, np.ndarray], true: list[np.ndarray]) -> float:
    apart = [rigid(poses[n])[:3, :3] @ true[n][:3, :3].T for n in range(COUNT)]
    return float(np.degrees(max(np.arccos(np.clip(R[2, 2], -1, 1)) for R in apart)))


def test_what_was_felt_later_sets_scale_and_tilt_right() -> None:
    graph, true = shrinking()
    solver = Solver(metric=False)
    before = solved(solver, graph)
    assert scale_of(before[19]) < 0.75
    assert tilt(before, true) > 2
    assert FeltEdges().tell(felt(true), graph)
    after = solved(solver, graph)
    assert [scale_of(after[n]) for n in range(COUNT)] == pytest.approx([1.0] * COUNT, rel=0.05)
    assert tilt(after, true) < 0.7
    assert after[0][:3, 3] == pytest.approx(np.zeros(3), abs=1e-4)


def test_the_same_is_told_once_and_what_is_better_known_takes_its_place() -> None:
    graph, true = shrinking()
    told, way = FeltEdges(), felt(true)
    assert told.tell(way, graph)
    count = graph.edge_count
    assert not told.tell(way, graph)
    assert told.tell(felt(true), graph)
    assert graph.edge_count == count


def test_pieces_and_visits_that_nobody_followed_are_not_tied() -> None:
    """A false tie between pieces would put one of them anywhere, for good."""
    graph, true = shrinking()
    before = graph.edge_count
    FeltEdges().tell(felt(true, tied=False), graph)
    assert graph.edge_count == before
    apart = PoseGraph()
    for n in range(COUNT):
        apart.add_keyframe(n, true[n])
    FeltEdges().tell(felt(true), apart)
    assert apart.edge_count == 0
    assert apart.priors[3].scale == pytest.approx(1.0)
