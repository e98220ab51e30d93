# SPDX-License-Identifier: Apache-2.0
"""If these fail, somebody waits for ever for an answer, or an error is never heard of."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import pytest

from dens3r_ros.nodes.inputs.mailbox import Mailbox
from dens3r_ros.nodes.worker import Job, Worker, WorkerStopped


def worker(faults: list[BaseException] | None = None) -> Worker:
    mailbox: Mailbox[Job] = Mailbox(1, True)
    return Worker(mailbox, [].append if faults is None else faults.append)


def occupied(busy: Worker) -> tuple[threading.Event, Future[bool]]:
    """An event that lets the worker go on, and what it does until then."""
    go_on, begun = threading.Event(), threading.Event()
    job = busy.call(lambda: begun.set() or go_on.wait(20))
    assert begun.wait(20)
    return go_on, job


def test_what_waits_when_the_worker_stops_is_answered_with_an_error() -> None:
    stopped = worker()
    go_on, job = occupied(stopped)
    pending = [stopped.call(lambda: 1) for _ in range(3)]
    assert not stopped.stop(0.01)
    for future in (*pending, stopped.call(lambda: 2)):
        with pytest.raises(WorkerStopped):
            future.result(timeout=10)
    go_on.set()
    assert job.result(timeout=10) is True


def test_calls_run_in_the_order_they_were_made() -> None:
    """A reset that was asked for before a load must not empty the loaded map."""
    ordered = worker()
    go_on, _ = occupied(ordered)
    seen: list[int] = []
    calls = [ordered.call(lambda n=n: seen.append(n)) for n in range(4)]
    go_on.set()
    for call in calls:
        call.result(timeout=10)
    assert seen == [0, 1, 2, 3]
    assert ordered.stop(10)


def test_the_error_of_a_job_that_nobody_waits_for_is_told() -> None:
    faults: list[BaseException] = []
    told = worker(faults)

    def job() -> Any:
        raise ZeroDivisionError("stumbled")

    told.post(job)
    told.call(lambda: None).result(timeout=10)
    assert [str(fault) for fault in faults] == ["stumbled"]
    assert told.stop(10)
