# SPDX-License-Identifier: Apache-2.0
"""A child process that is asked and answers by a pipe, without ever holding up who asks."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.reduction import ForkingPickler
from queue import SimpleQueue
from typing import Any

_END_WITHIN_S = 1.0
_STARTING = threading.Lock()


class ChildProcess:
    """Ends when this object is closed or this process dies.

    Threads send what is asked and receive what is answered: a child that is busy or stuck holds
    up nobody. `serve(connection, *arguments)` is what the child runs, and ends with the
    connection's EOFError.
    """

    def __init__(self, serve: Callable[..., None], arguments: tuple[Any, ...], name: str) -> None:
        processes = multiprocessing.get_context("spawn")
        self._pipe, theirs = processes.Pipe()
        self._child = processes.Process(
            target=serve, args=(theirs, *arguments), name=name, daemon=True
        )
        with _STARTING, _without_main(), _deaf_to_interrupts():
            self._child.start()
        theirs.close()
        self._requests: SimpleQueue[memoryview | None] = SimpleQueue()
        self.answers: SimpleQueue[Any] = SimpleQueue()
        """What the child has said; None once it is gone."""
        self._threads = [threading.Thread(target=t, daemon=True) for t in (self._send, self._hear)]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int | None:
        """Of the child."""
        return self._child.pid

    def ask(self, request: Any) -> None:
        """Send something that can be pickled; it may be changed afterwards."""
        self._requests.put(ForkingPickler.dumps(request))

    def exit_code(self) -> int | None:
        """Of a child that has ended, or is about to."""
        self._child.join(_END_WITHIN_S)
        return self._child.exitcode

    def close(self) -> None:
        """End the child."""
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
                self.answers.put(self._pipe.recv())
        except (EOFError, OSError):
            self.answers.put(None)


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
