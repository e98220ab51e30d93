# SPDX-License-Identifier: Apache-2.0
"""How far long work is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import typer

FIRST_S = 3.0
EVERY_S = 10.0
"""Seconds until the first line in a log, and from each to the next."""


class Tell(Protocol):
    """Takes how much is done, of how much where that is known, and a word on it."""

    def __call__(self, done: float, total: float | None = None, note: str = "") -> None:
        """Tell it."""
        ...


@contextmanager
def following(title: str, total: float | None = None) -> Iterator[Tell]:
    """Show progress on standard error while this holds; nothing where it takes a moment."""
    from rich.console import Console

    console = Console(stderr=True)
    with _bar(console, title, total) if console.is_terminal else _lines(title, total) as tell:
        yield tell


@contextmanager
def _bar(console: object, title: str, total: float | None) -> Iterator[Tell]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), Remaining())
    with Progress(*columns, console=console, transient=True) as progress:  # type: ignore[arg-type]
        task = progress.add_task(title, total=total)

        def tell(done: float, total: float | None = None, note: str = "") -> None:
            progress.update(task, completed=done, description=f"{title} {note}".rstrip())
            if total is not None:
                progress.update(task, total=total)

        yield tell


@contextmanager
def _lines(title: str, total: float | None) -> Iterator[Tell]:
    log = _Log(title, total)
    thread = threading.Thread(target=log.run, daemon=True)
    thread.start()
    try:
        yield log.tell
    finally:
        log.over.set()
        thread.join()


class _Log:
    """Writes lines from a thread of its own, so that work that is stuck is seen to last."""

    def __init__(self, title: str, total: float | None) -> None:
        self._title, self._done, self._total, self._note = title, 0.0, total, ""
        self._began = time.monotonic()
        self.over = threading.Event()

    def tell(self, done: float, total: float | None = None, note: str = "") -> None:
        self._done, self._note = done, note
        self._total = self._total if total is None else total

    def run(self) -> None:
        wait = FIRST_S
        while not self.over.wait(wait):
            typer.echo(self._line(), err=True)
            wait = EVERY_S

    def _line(self) -> str:
        parts = [f"{self._title}:"]
        if self._total:
            parts.append(f"{self._done:.0f} of {self._total:.0f},")
        parts.append(f"{time.monotonic() - self._began:.0f} s")
        return " ".join([*parts, *([self._note] if self._note else [])])
