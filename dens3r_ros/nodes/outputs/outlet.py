# SPDX-License-Identifier: Apache-2.0
"""Shuts what a session publishes: once it is shut nothing goes out, not even what is under way."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Outlet:
    """Publishing on the worker and shutting on the executor exclude each other."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._open = False

    def open(self) -> None:
        """Let everything out from now on."""
        with self._changing:
            self._open = True

    def shut(self) -> None:
        """Let nothing out once this has returned."""
        with self._changing:
            self._open = False

    def send(self, publish: Callable[[], None]) -> bool:
        """Publish, unless it is shut; whether it was open."""
        with self._changing:
            if self._open:
                publish()
            return self._open
