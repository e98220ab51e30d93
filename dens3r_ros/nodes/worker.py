# SPDX-License-Identifier: Apache-2.0
"""A thread on which one job runs after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from dens3r_ros.nodes.inputs.mailbox import Mailbox

R = TypeVar("R")
Job = Callable[[], object]
"""Nobody looks at what it gives."""


class WorkerStopped(RuntimeError):
    """What was asked for will not be done."""

    def __init__(self) -> None:
        super().__init__("the node stopped before this was done")


class _Call(Generic[R]):
    """A job whose result somebody waits for."""

    def __init__(self, function: Callable[[], R]) -> None:
        self._function = function
        self.future: Future[R] = Future()

    def __call__(self) -> None:
        try:
            self.future.set_result(self._function())
        except Exception as error:
            self.future.set_exception(error)

    def abandon(self) -> None:
        self.future.set_exception(WorkerStopped())


class Worker:
    """Runs jobs from a mailbox; a job that raises is told to `on_fault` and the next one runs."""

    def __init__(
        self,
        mailbox: Mailbox[Job],
        on_fault: Callable[[BaseException], None],
        name: str = "dens3r-worker",
    ) -> None:
        self._mailbox = mailbox
        self._on_fault = on_fault
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], R]) -> Future[R]:
        """Run a function before images that wait; whoever asks reads its result or exception,
        which is WorkerStopped where the worker ends before."""
        return self._handed(function, self._mailbox.put_first)

    def call_between(self, function: Callable[[], R]) -> Future[R]:
        """The same for one step of longer work: an image that waits goes before it."""
        return self._handed(function, self._mailbox.put_second)

    def _handed(self, function: Callable[[], R], put: Callable[[Job], bool]) -> Future[R]:
        call: _Call[Any] = _Call(function)
        if not put(call):
            call.abandon()
        return call.future

    def post(self, job: Job) -> None:
        """The same for a job whose error is told to `on_fault`."""
        self._mailbox.put_first(job)

    def stop(self, timeout_s: float) -> bool:
        """End after the present job; whether that happened in time."""
        for job in self._mailbox.close():
            if isinstance(job, _Call):
                job.abandon()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._mailbox.take()) is not None:
            try:
                job()
            except Exception as error:
                self._on_fault(error)
