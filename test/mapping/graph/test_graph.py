# SPDX-License-Identifier: Apache-2.0
"""A wrong convention between us and GTSAM bends every map; a wrong loop is worse than none."""

import numpy as np
import pytest

from dens3r_ros.geometry import tangents
from dens3r_ros.mapping.graph.contradicting import contradiction
from dens3r_ros.mapping.graph.graph import Edge, GraphChanges, PoseGraph, scale_of
from dens3r_ros.mapping.graph.solver import Solver, to_gtsam, to_matrix
from dens3r_ros.mapping.graph.solver_process import ChildSolver, InlineSolver

SURE = np.diag([1e-4] * 3 + [1e-5] * 3 + [1e-4])


def similarity(random: np.random.Generator, spread: float) -> np.ndarray:
    return tangents.exp(random.normal(0, spread, 7))


def ring(count: int = 12, drift: float = 1.01) -> tuple[list[np.ndarray], list[Edge]]:
    """True poses once round a circle, and edges of which each is a little too large."""
    step = tangents.exp(np.array([0.5, 0, 0, 0, 0, 2 * np.pi / count, 0]))
    poses = [np.linalg.matrix_power(step, n) for n in range(count)]
    wrong = step.copy()
    wrong[:3, :3] *= drift
    return poses, [Edge(n, n + 1, wrong, SURE) for n in range(count - 1)]


def chained(edges: list[Edge]) -> dict[int, np.ndarray]:
    poses = {0: np.eye(4)}
    for edge in edges:
        poses[edge.j] = poses[edge.i] @ edge.S_i_j
    return poses


def test_similarities_act_alike_on_both_sides_of_gtsam() -> None:
    random = np.random.default_rng(0)
    S, T, point = similarity(random, 0.5), similarity(random, 0.5), random.normal(size=3)
    acted = to_gtsam(S).transformFrom(point)
    assert acted == pytest.approx(S[:3, :3] @ point + S[:3, 3])
    assert to_matrix(to_gtsam(S) * to_gtsam(T)) == pytest.approx(S @ T)


def test_a_loop_takes_the_drift_out_of_a_ring() -> None:
    truth, edges = ring()
    start = chained(edges)
    last = len(truth) - 1
    loop = Edge(last, 0, np.linalg.inv(truth[last]), SURE, loop=True)
    solver = Solver(metric=False)
    solver.add(GraphChanges(start, dict(enumerate([*edges, loop]))))
    solved = solver.solve()
    before = np.linalg.norm(start[last][:3, 3] - truth[last][:3, 3])
    after = np.linalg.norm(solved[last][:3, 3] - truth[last][:3, 3])
    assert after < 0.2 * before
    assert abs(scale_of(solved[last]) - 1) < 0.3 * abs(scale_of(start[last]) - 1)


def test_a_better_measurement_takes_the_place_of_the_old_one() -> None:
    truth, edges = ring()
    graph = PoseGraph()
    for keyframe_id, S in chained(edges).items():
        graph.add_keyframe(keyframe_id, S)
    graph.add_edges(edges)
    solver = Solver(metric=False)
    solver.add(graph.take_changes())
    solver.solve()
    for edge in edges:
        exact = np.linalg.inv(truth[edge.i]) @ truth[edge.j]
        graph.replace_edge(edge, Edge(edge.i, edge.j, exact, SURE))
    solver.add(graph.take_changes())
    solved = solver.solve()
    assert all(solved[n] == pytest.approx(S, abs=1e-4) for n, S in enumerate(truth))


def test_metric_graphs_keep_every_scale_at_one() -> None:
    truth, _ = ring()
    exact = [Edge(n, n + 1, np.linalg.inv(truth[n]) @ truth[n + 1], SURE) for n in range(11)]
    solver = Solver(metric=True)
    solver.add(GraphChanges(dict(enumerate(truth)), dict(enumerate(exact))))
    assert all(scale_of(S) == pytest.approx(1, abs=1e-9) for S in solver.solve().values())


def test_the_child_process_answers_what_this_one_would() -> None:
    _, edges = ring()
    news = GraphChanges(chained(edges), dict(enumerate(edges)))
    answers = []
    for solver in (InlineSolver(metric=False), ChildSolver(metric=False)):
        solver.ask(news)
        answers.append(solver.answer())
        solver.close()
    assert all(np.array_equal(answers[0][n], answers[1][n]) for n in answers[0])


def test_a_loop_that_contradicts_the_graph_is_told_from_one_that_agrees() -> None:
    truth, _ = ring()
    exact = [Edge(n, n + 1, np.linalg.inv(truth[n]) @ truth[n + 1], SURE) for n in range(11)]
    graph = PoseGraph()
    for keyframe_id, S in enumerate(truth):
        graph.add_keyframe(keyframe_id, S)
    graph.add_edges(exact)
    right = np.linalg.inv(truth[2]) @ truth[11]
    elsewhere = right.copy()
    elsewhere[0, 3] += 1.0
    assert contradiction(Edge(2, 11, right, SURE, loop=True), graph) < 0.01
    assert contradiction(Edge(2, 11, elsewhere, SURE, loop=True), graph) > 5


def test_a_chain_grows_unsure_as_simulated_errors_do() -> None:
    """Covariance along a chain is that of the errors themselves, in both directions."""
    random = np.random.default_rng(1)
    truth, _ = ring(6)
    ends = []
    for _ in range(400):
        S = np.eye(4)
        for n in range(5):
            step = np.linalg.inv(truth[n]) @ truth[n + 1]
            S = S @ step @ tangents.exp(random.normal(0, 0.01, 7))
        ends.append(tangents.log(np.linalg.inv(truth[5]) @ S))
    graph = PoseGraph()
    for keyframe_id, S in enumerate(truth):
        graph.add_keyframe(keyframe_id, S)
    cov = 1e-4 * np.eye(7)
    graph.add_edges(Edge(n, n + 1, np.linalg.inv(truth[n]) @ truth[n + 1], cov) for n in range(5))
    found = graph.chained(0, 5)
    assert found is not None
    assert np.diag(found[1]) == pytest.approx(np.var(ends, axis=0), rel=0.35)
    back = graph.chained(5, 0)
    assert back is not None
    assert back[0] == pytest.approx(np.linalg.inv(found[0]))


def test_what_shows_a_keyframe_hears_of_visible_moves_however_slow() -> None:
    """Otherwise the published map keeps its old walls after a loop."""
    graph = PoseGraph()
    for number in range(2):
        graph.add_keyframe(number, np.eye(4))
    for step in range(1, 11):
        S = np.eye(4)
        S[0, 3] = 5e-4 * step
        graph.move({0: np.eye(4), 1: S})
    assert graph.moves == {0: 0, 1: 2}
    assert graph.poses[1][0, 3] == 5e-3
