# SPDX-License-Identifier: Apache-2.0
"""If these fail, the death of a helper process costs the map, stops tracking, or goes unnoticed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import KeyframeConfig, MapperConfig
from dens3r_ros.mapping.graph.graph import Edge, GraphChanges
from dens3r_ros.mapping.graph.solver_process import ChildSolver, SolverError, SolverFailed
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Tracking

SURE = np.diag([1e-4] * 3 + [1e-5] * 3 + [1e-4])
CHAIN = GraphChanges(
    {n: np.eye(4) for n in range(3)}, {n: Edge(n, n + 1, np.eye(4), SURE) for n in range(2)}
)
OFTEN = MapperConfig(keyframes=KeyframeConfig(min_matched=0.97, reuse_overlap=2.0))
"""A keyframe of nearly every frame."""


def solvers() -> list[int]:
    """Children of this process that were spawned."""
    me = os.getpid()
    children = Path(f"/proc/{me}/task/{me}/children").read_text().split()
    return [int(c) for c in children if "spawn_main" in Path(f"/proc/{c}/cmdline").read_text()]


def send_to_solvers(number: int) -> None:
    for pid in solvers():
        os.kill(pid, number)


def test_a_killed_solver_is_started_again_and_the_map_goes_on(walk) -> None:
    undisturbed = Mapper(OracleEngine(walk, long_side=160), OFTEN)
    with Mapper(OracleEngine(walk, long_side=160), OFTEN) as mapper:
        notices = []
        for index in range(len(walk)):
            if index == 10:
                send_to_solvers(signal.SIGKILL)
            update = mapper.step(walk[index])
            notices.append(update.notice)
            assert update.state is Tracking.TRACKING, update.reason
        mapper.finish()
        told = [notice for notice in notices if notice]
        assert len(told) == 1 and "code -9" in told[0]
        assert update.epoch == 0
        found = mapper.keyframe_poses()
    for index in range(len(walk)):
        undisturbed.step(walk[index])
    undisturbed.finish()
    expected = undisturbed.keyframe_poses()
    undisturbed.close()
    assert found.keys() == expected.keys() and len(found) > 12
    assert all(found[n] == pytest.approx(expected[n], abs=0.02) for n in found)


def test_a_solver_that_dies_three_times_in_a_minute_has_failed_and_the_map_can_be_saved(
    walk, tmp_path
) -> None:
    with Mapper(OracleEngine(walk, long_side=160), OFTEN) as mapper:
        with pytest.raises(SolverFailed, match="code -9"):
            for index in range(len(walk)):
                if index >= 6:
                    send_to_solvers(signal.SIGKILL)
                mapper.step(walk[index])
        with pytest.raises(SolverFailed):
            mapper.step(walk[index + 1])
        assert mapper.save(tmp_path / "kept.map") == len(mapper.keyframes()) > 5
        mapper.reset()
        assert mapper.step(walk[0]).state is Tracking.TRACKING


def test_a_solver_that_is_stuck_is_waited_for_no_longer_than_stated() -> None:
    solver = ChildSolver(metric=False, answer_within_s=0.3)
    send_to_solvers(signal.SIGSTOP)
    large = replace(CHAIN, poses={n: np.eye(4) for n in range(20_000)})
    solver.ask(large)
    with pytest.raises(SolverError, match=r"within 0\.3 s"):
        solver.answer()
    solver.close()
    assert not solvers()


def test_what_the_solver_stumbles_over_is_said() -> None:
    solver = ChildSolver(metric=False)
    solver.ask(replace(CHAIN, gone_edges=(7,)))
    with pytest.raises(SolverError, match="KeyError: 7"):
        solver.answer()
    solver.close()


def test_answers_and_requests_larger_than_any_pipe_do_not_wait_for_each_other() -> None:
    poses = {n: np.eye(4) for n in range(4000)}
    edges = {n: Edge(n, n + 1, np.eye(4), SURE) for n in range(3999)}
    solver = ChildSolver(metric=False)
    for _ in range(3):
        solver.ask(GraphChanges(poses, edges))
        poses = {}
    assert [len(solver.answer()) for _ in range(3)] == [4000] * 3
    solver.close()


SCRIPT = """
import os, signal, sys, time
import torch
from dens3r_ros.mapping.config import GraphConfig
from dens3r_ros.mapping.graph.backend import Backend
import numpy as np
print("begun", flush=True)
backend = Backend(False, GraphConfig())
backend.graph.add_keyframe(0, np.eye(4))
backend.ask(0)
children = open(f"/proc/self/task/{os.getpid()}/children").read().split()
for child in children:
    os.kill(int(child), signal.SIGINT)
backend.finish()
print("torch" in "".join(open(f"/proc/{child}/maps").read() for child in children))
print("restarted:", backend.take_notice(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_child_runs_no_script_twice_imports_no_torch_hears_no_ctrl_c_and_leaves_no_orphan(
    tmp_path,
) -> None:
    script = tmp_path / "mapping_without_a_guard.py"
    script.write_text(SCRIPT)
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert ran.stdout.splitlines() == ["begun", "False", "restarted: "], ran.stderr
    assert "Traceback" not in ran.stderr
