# SPDX-License-Identifier: Apache-2.0
"""The solver in a process of its own: GTSAM's Python holds the interpreter while it solves."""

from __future__ import annotations

from multiprocessing.connection import Connection
from queue import Empty
from typing import TYPE_CHECKING, Protocol

import numpy as np

from dens3r_ros.mapping.graph.child_process import ChildProcess
from dens3r_ros.mapping.graph.graph import GraphChanges

if TYPE_CHECKING:
    from dens3r_ros.mapping.graph.solver import Solver

ANSWER_WITHIN_S = 20.0
"""Longest wait for a solve; the largest maps take some seconds on a busy computer."""


class SolverError(RuntimeError):
    """The solver's process died or does not answer; the message says which."""


class SolverFailed(SolverError):
    """It died again and again: the map can be read and saved, but takes no more frames."""


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
    """Solves in a child process, which ends when this object is closed or this process dies; waits
    for an answer no longer than `answer_within_s`."""

    def __init__(self, metric: bool, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._within_s = answer_within_s
        self._child = ChildProcess(serve, (metric,), "dens3r-solver")

    @property
    def pid(self) -> int | None:
        """Of the child."""
        return self._child.pid

    def ask(self, news: GraphChanges) -> None:
        self._child.ask(news)

    def answer(self) -> dict[int, np.ndarray]:
        try:
            said = self._child.answers.get(timeout=self._within_s)
        except Empty:
            raise SolverError(f"did not answer within {self._within_s:g} s") from None
        if said is None:
            raise SolverError(f"ended with code {self._child.exit_code()}")
        if isinstance(said, str):
            raise SolverError(said)
        ids, poses = said
        return dict(zip(ids, poses, strict=True))

    def close(self) -> None:
        self._child.close()


def serve(connection: Connection, metric: bool) -> None:
    """Answer requests until there are no more."""
    from dens3r_ros.mapping.graph.solver import Solver

    solver = Solver(metric)
    try:
        while True:
            connection.send(_solved(solver, connection.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _solved(solver: Solver, news: GraphChanges) -> tuple[list[int], np.ndarray] | str:
    """Ids and poses, or what went wrong."""
    try:
        solver.add(news)
        poses = solver.solve()
    except (RuntimeError, ValueError, IndexError, KeyError) as error:
        return f"failed: {type(error).__name__}: {error}"
    return list(poses), np.array(list(poses.values()))
