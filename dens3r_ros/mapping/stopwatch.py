# SPDX-License-Identifier: Apache-2.0
"""Where the time of one step goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Milliseconds by stage, and those of them that this thread computed; a stage entered twice
    adds up."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}
        self.computed: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        began, busy = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            spent = 1000 * (time.perf_counter() - began)
            self.milliseconds[name] = self.milliseconds.get(name, 0.0) + spent
            computed = 1000 * (time.thread_time() - busy)
            self.computed[name] = self.computed.get(name, 0.0) + computed
