# SPDX-License-Identifier: Apache-2.0
"""The solver in a process of its own: GTSAM's Python holds the interpreter while it solves."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

import dens3r_ros
from dens3r_ros.mapping.graph.graph import GraphChanges


class SolverError(RuntimeError):
    """The solver's process failed; the message holds what it said."""


class BackgroundSolver(Protocol):
    """Asked once, answers later."""

    def ask(self, news: GraphChanges) -> None:
        """Add what is new, and begin to solve."""
        ...

    def answer(self) -> dict[int, np.ndarray]:
        """The poses that were asked for first and not yet taken; waits for them."""
        ...

    def close(self) -> None: ...


class InlineSolver:
    """Solves in this process, at once."""

    def __init__(self, metric: bool) -> None:
        from dens3r_ros.mapping.graph.solver import Solver

        self._solver = Solver(metric)
        self._answers: list[dict[int, np.ndarray]] = []

    def ask(self, news: GraphChanges) -> None:
        self._solver.add(news)
        self._answers.append(self._solver.solve())

    def answer(self) -> dict[int, np.ndarray]:
        return self._answers.pop(0)

    def close(self) -> None:
        self._answers.clear()


class ChildSolver:
    """Solves in a child process, which ends when this object is closed or this process dies."""

    def __init__(self, metric: bool) -> None:
        root = str(Path(dens3r_ros.__file__).parents[1])
        path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH")) if part)
        self._child = subprocess.Popen(
            [sys.executable, "-m", __name__, "metric" if metric else "free"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )

    def ask(self, news: GraphChanges) -> None:
        assert self._child.stdin is not None
        try:
            pickle.dump(news, self._child.stdin)
            self._child.stdin.flush()
        except BrokenPipeError:
            raise self._failure() from None

    def answer(self) -> dict[int, np.ndarray]:
        assert self._child.stdout is not None
        try:
            ids, poses = pickle.load(self._child.stdout)
            return dict(zip(ids, poses, strict=True))
        except EOFError:
            raise self._failure() from None

    def close(self) -> None:
        if self._child.poll() is None:
            assert self._child.stdin is not None and self._child.stdout is not None
            self._child.stdout.close()
            self._child.stdin.close()
            try:
                self._child.wait(timeout=1.0)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()

    def _failure(self) -> SolverError:
        return SolverError(
            f"the pose graph's solver ended with code {self._child.poll()}; "
            "what it said last stands above"
        )


def serve(requests: BinaryIO, answers: BinaryIO, metric: bool) -> None:
    """Answer requests until there are no more."""
    from dens3r_ros.mapping.graph.solver import Solver

    solver = Solver(metric)
    while True:
        try:
            news = pickle.load(requests)
        except EOFError:
            return
        solver.add(news)
        poses = solver.solve()
        pickle.dump((list(poses), np.array(list(poses.values()))), answers)
        answers.flush()


if __name__ == "__main__":
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer, sys.argv[1] == "metric")
    except BrokenPipeError:
        os._exit(0)
