# SPDX-License-Identifier: Apache-2.0
"""Shuts what a session publishes: once it is shut nothing goes out, not even what is under way."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Outlet:
    """Lets several threads publish, until the executor shuts it and waits for what is under way."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open = False
        self._sending = 0

    def open(self) -> None:
        """Let everything out from now on."""
        with self._changed:
            self._open = True

    def shut(self) -> None:
        """Let nothing out once this has returned."""
        with self._changed:
            self._open = False
            self._changed.wait_for(lambda: not self._sending)

    def send(self, publish: Callable[[], object]) -> bool:
        """Publish, unless it is shut; whether it was open."""
        with self._changed:
            if not self._open:
                return False
            self._sending += 1
        try:
            publish()
        finally:
            with self._changed:
                self._sending -= 1
                self._changed.notify_all()
        return True
