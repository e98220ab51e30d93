# SPDX-License-Identifier: Apache-2.0
"""If these fail, losses, leaks or delays of the node go untold."""

import math
import os
from types import SimpleNamespace

import numpy as np
import pytest

from dens3r_ros.nodes.bench.figures import Memory, accounting, latencies, stage_figures
from dens3r_ros.nodes.bench.watcher import accuracy

MS = 1_000_000


def test_each_image_owes_one_output_on_each_topic() -> None:
    arrivals = {"points": [(1, 9), (2, 9), (3, 9)], "depth": [(1, 9), (1, 9), (7, 9)]}
    assert accounting([1, 2, 3], 3, arrivals) == {
        "outputs_expected": 6,
        "outputs_lost": 2,
        "outputs_lost_by_topic": {"points": 0, "depth": 2},
        "outputs_repeated": 1,
        "outputs_of_no_image": 1,
    }


def test_an_image_that_was_dropped_owes_nothing() -> None:
    assert accounting([1, 2, 3], 2, {"points": [(1, 9), (3, 9)]})["outputs_lost"] == 0


def test_latency_ends_with_the_last_output() -> None:
    arrivals = {"depth": [(0, 5 * MS)], "points": [(0, 30 * MS)]}
    assert latencies(arrivals)["latency_p95_ms"] == pytest.approx(30)
    assert math.isnan(latencies({"depth": []})["latency_p50_ms"])


def test_memory_grows_only_after_the_start() -> None:
    steady = Memory([(n * 100, 10**8 if n < 5 else 2 * 10**8) for n in range(20)])
    assert steady.growth_percent() == pytest.approx(0)
    leaking = Memory([(n * 100, 10**8 * (1 + n)) for n in range(20)])
    assert leaking.growth_percent() > 100
    assert math.isnan(Memory([(100, 10**8)]).growth_percent())


def test_a_stage_that_never_ran_is_not_zero() -> None:
    status = SimpleNamespace(stages=["receive"], latency_p50_ms=[2.0], latency_p95_ms=[3.0])
    figures = stage_figures(status, ["receive", "track"], "idle_")
    assert (figures["idle_receive_ms_p50"], figures["idle_receive_ms_p95"]) == (2, 3)
    assert math.isnan(figures["idle_track_ms_p50"])


def test_what_a_process_holds_is_noted() -> None:
    memory = Memory()
    memory.note(7, os.getpid())
    assert memory.last_mib() > 10


def test_errors_of_positions_are_told_where_the_truth_is_known() -> None:
    truth = {n: np.eye(4) for n in range(5)}
    for n, T in truth.items():
        T[:3, 3] = n, n * n, 0
    poses = {n: np.diag([1.0, 1, 1, 1]) for n in truth}
    for n, T in poses.items():
        T[:3, 3] = 2 * truth[n][:3, 3]
    assert accuracy(poses, truth)["ate_sim3_m"] == pytest.approx(0, abs=1e-9)
    assert not accuracy(poses, {})
