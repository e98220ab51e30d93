# SPDX-License-Identifier: Apache-2.0
"""The solver in a process of its own: GTSAM's Python holds the interpreter while it solves."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dens3r_ros.mapping.graph.graph import GraphChanges

if TYPE_CHECKING:
    from dens3r_ros.mapping.graph.solver import Solver

ANSWER_WITHIN_S = 20.0
"""Longest wait for a solve; the largest maps take some seconds on a busy computer."""
_END_WITHIN_S = 1.0
_STARTING = threading.Lock()


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
    """Solves in a child process, which ends when this object is closed or this process dies.

    Threads send what is asked and receive what is answered: a child that is busy or stuck holds
    up nobody before its answer is due, and then no longer than `answer_within_s`.
    """

    def __init__(self, metric: bool, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._within_s = answer_within_s
        processes = multiprocessing.get_context("spawn")
        self._pipe, theirs = processes.Pipe()
        self._child = processes.Process(
            target=serve, args=(theirs, metric), name="dens3r-solver", daemon=True
        )
        with _STARTING, _without_main(), _deaf_to_interrupts():
            self._child.start()
        theirs.close()
        self._requests: SimpleQueue[memoryview | None] = SimpleQueue()
        self._answers: SimpleQueue[Any] = SimpleQueue()
        self._threads = [threading.Thread(target=t, daemon=True) for t in (self._send, self._hear)]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int | None:
        """Of the child."""
        return self._child.pid

    def ask(self, news: GraphChanges) -> None:
        self._requests.put(ForkingPickler.dumps(news))

    def answer(self) -> dict[int, np.ndarray]:
        try:
            said = self._answers.get(timeout=self._within_s)
        except Empty:
            raise SolverError(f"did not answer within {self._within_s:g} s") from None
        if said is None:
            self._child.join(_END_WITHIN_S)
            raise SolverError(f"ended with code {self._child.exitcode}")
        if isinstance(said, str):
            raise SolverError(said)
        ids, poses = said
        return dict(zip(ids, poses, strict=True))

    def close(self) -> None:
        self._requests.put(None)
        self._child.terminate()
        self._child.join(_END_WITHIN_S)
        if self._child.is_alive():
            self._child.kill()
            self._child.join()
        for thread in self._threads:
            thread.join()
        self._pipe.close()

    def _send(self) -> None:
        while (request := self._requests.get()) is not None:
            try:
                self._pipe.send_bytes(request)
            except OSError:
                # The child is gone; whoever waits for its answer finds that out.
                return

    def _hear(self) -> None:
        try:
            while True:
                self._answers.put(self._pipe.recv())
        except (EOFError, OSError):
            self._answers.put(None)


@contextmanager
def _without_main() -> Iterator[None]:
    """Processes that are spawned import their parent's main module, which would run a user's
    script a second time, or import torch; ours needs nothing of it."""
    main = sys.modules["__main__"]
    hidden: dict[str, Any] = {
        n: main.__dict__.pop(n) for n in ("__spec__", "__file__") if n in main.__dict__
    }
    main.__spec__ = None
    try:
        yield
    finally:
        main.__dict__.update(hidden)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """What is started here is born with SIGINT blocked: Ctrl-C reaches all of a terminal's
    processes, and it is for the parent to end this one."""
    # Else it is started within, and unblocks the signal.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
