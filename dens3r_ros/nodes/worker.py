# SPDX-License-Identifier: Apache-2.0
"""The thread on which everything heavy happens, one job after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from dens3r_ros.nodes.inputs.mailbox import Mailbox

R = TypeVar("R")
Job = Callable[[], None]


class Worker:
    """Runs jobs from a mailbox; a job that raises is told to `on_fault` and the next one runs."""

    def __init__(self, mailbox: Mailbox[Job], on_fault: Callable[[BaseException], None]) -> None:
        self._mailbox = mailbox
        self._on_fault = on_fault
        self._thread = threading.Thread(target=self._run, name="dens3r-worker", daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], R]) -> Future[R]:
        """Run a function next, before images that wait; its result or exception is awaited."""
        future: Future[Any] = Future()

        def job() -> None:
            try:
                future.set_result(function())
            except Exception as error:
                future.set_exception(error)

        self._mailbox.put_first(job)
        return future

    def stop(self, timeout_s: float) -> bool:
        """End after the present job; whether that happened in time."""
        self._mailbox.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._mailbox.take()) is not None:
            try:
                job()
            except Exception as error:
                self._on_fault(error)
