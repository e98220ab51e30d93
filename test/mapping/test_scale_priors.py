# SPDX-License-Identifier: Apache-2.0
"""Without them a map along bare walls shrinks or grows by and by, though images told metres."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.geometry import tangents
from dens3r_ros.mapping.archive.merging import merge_nodes
from dens3r_ros.mapping.graph.graph import Edge, PoseGraph, ScalePrior, scale_of
from dens3r_ros.mapping.graph.solver import Solver

SURE = np.diag([1e-4] * 3 + [1e-5] * 3 + [1e-4])
STEP = tangents.exp(np.array([0.5, 0, 0, 0, 0, 0.2, 0]))


def drifting(count: int = 20, drift: float = 1.04, first: float = 1.1) -> PoseGraph:
    """A chain whose every edge says that the next unit is shorter by `drift` than it is; the first
    unit is `first` metres though it is taken for one."""
    graph = PoseGraph()
    wrong = STEP.copy()
    wrong[:3, :3] /= drift
    S = np.eye(4)
    for n in range(count):
        graph.add_keyframe(n, S)
        if n:
            graph.add_edges([Edge(n - 1, n, wrong, np.diag([1e-4] * 3 + [1e-5] * 3 + [2e-3]))])
        graph.expect_scale(n, ScalePrior(first, 0.05))
        S = S @ wrong
    return graph


def test_scale_neither_drifts_nor_stays_that_of_the_first_keyframe() -> None:
    graph = drifting()
    assert scale_of(graph.poses[19]) < 0.5
    solver = Solver(metric=False)
    solver.add(graph.take_changes())
    solved = solver.solve()
    scales = np.array([scale_of(solved[n]) for n in range(20)])
    assert scales == pytest.approx(1.1, rel=0.12)
    assert np.exp(np.log(scales).mean()) == pytest.approx(1.1, rel=0.02)
    assert solved[0][:3, 3] == pytest.approx(np.zeros(3), abs=1e-4)
    assert solved[0][:3, :3] / scales[0] == pytest.approx(np.eye(3), abs=1e-4)


def test_a_better_prior_takes_the_place_of_the_old_one() -> None:
    graph = drifting(drift=1.0)
    solver = Solver(metric=False)
    solver.add(graph.take_changes())
    solver.solve()
    for n in range(20):
        graph.expect_scale(n, ScalePrior(2.0, 0.05))
    solver.add(graph.take_changes())
    solved = solver.solve()
    assert all(scale_of(S) == pytest.approx(2.0, rel=0.01) for S in solved.values())


def test_without_priors_the_first_unit_is_the_maps() -> None:
    graph = drifting(drift=1.0)
    graph.priors.clear()
    news = graph.take_changes()
    solver = Solver(metric=False)
    solver.add(type(news)(news.poses, news.edges))
    assert scale_of(solver.solve()[19]) == pytest.approx(1.0, rel=1e-3)


def test_what_a_merged_keyframe_told_is_told_by_the_one_that_stays() -> None:
    graph = PoseGraph()
    half = STEP.copy()
    half[:3, :3] *= 0.5
    graph.add_keyframe(0, np.eye(4))
    graph.add_keyframe(1, half)
    graph.add_edges([Edge(0, 1, half, SURE)])
    graph.expect_scale(0, ScalePrior(1.2, 0.05))
    graph.expect_scale(1, ScalePrior(0.55, 0.05))
    merge_nodes(graph, 1, 0)
    assert list(graph.priors) == [0]
    assert graph.priors[0].scale == pytest.approx(np.sqrt(1.2 * 1.1))
    assert graph.priors[0].sigma == pytest.approx(0.05 / np.sqrt(2))


def test_a_solver_forgets_the_priors_of_what_is_gone() -> None:
    graph = drifting(6, drift=1.0)
    solver = Solver(metric=False)
    solver.add(graph.take_changes())
    solver.solve()
    graph.expect_scale(5, ScalePrior(9.0, 0.001))
    merge_nodes(graph, 4, 3)
    graph.remove_keyframe(5)
    solver.add(graph.take_changes())
    solved = solver.solve()
    assert sorted(solved) == [0, 1, 2, 3]
    assert scale_of(solved[3]) == pytest.approx(1.1, rel=0.02)


def test_a_solver_that_begins_anew_is_told_the_priors_again() -> None:
    """Else the map drifts from the day on which the solver's process died."""
    graph = drifting(6)
    graph.take_changes()
    assert sorted(graph.take_all().priors) == list(range(6))
