# SPDX-License-Identifier: Apache-2.0
"""Batches made ahead by a thread of their own, in order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Yields make(step) for each step, up to `ahead` of them made in the background.

    With `ahead` 0 each is made when it is asked for. What goes wrong there is raised here.
    """

    def __init__(self, make: Callable[[int], T], steps: range, ahead: int) -> None:
        self._make, self._steps, self._ahead = make, steps, ahead
        self._stop = threading.Event()
        self._ready: queue.Queue[T | BaseException] = queue.Queue(max(ahead, 1))
        self._thread = threading.Thread(target=self._work, name="render", daemon=True)

    def __enter__(self) -> Iterator[T]:
        if not self._ahead:
            return (self._make(step) for step in self._steps)
        self._thread.start()
        return self._taken()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _taken(self) -> Iterator[T]:
        for _ in self._steps:
            item = self._ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item

    def _work(self) -> None:
        for step in self._steps:
            item: T | BaseException
            try:
                item = self._make(step)
            except BaseException as error:
                item = error
            while not self._stop.is_set():
                try:
                    self._ready.put(item, timeout=0.2)
                    break
                except queue.Full:
                    continue
            if self._stop.is_set() or isinstance(item, BaseException):
                return
