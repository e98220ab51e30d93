# SPDX-License-Identifier: Apache-2.0
"""How a person ends a run early: what is there is finished first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class StopRequest:
    """How often a person asked to stop: once ends the taking of images, twice also what betters
    the result, a third time everything at once."""

    def __init__(self) -> None:
        self.asked = 0

    @property
    def taking(self) -> bool:
        """Whether no more images are taken."""
        return self.asked >= 1

    @property
    def refining(self) -> bool:
        """Whether the result is left as it is."""
        return self.asked >= 2


@contextmanager
def on_interrupt(stop: StopRequest, say: Any) -> Iterator[None]:
    """Let Ctrl-C ask `stop`, while this holds; `say` tells the person what happens."""

    def ask(*_: object) -> None:
        stop.asked += 1
        if stop.asked > 2:
            raise KeyboardInterrupt
        what = ("finishing with the images so far", "leaving refinement out")[stop.asked - 1]
        say(f"Stopping: {what}. Ctrl-C again to hurry.")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
