# SPDX-License-Identifier: Apache-2.0
"""When the map's topics are published: what changed, to who listens, within a share of the time."""

from __future__ import annotations

import time
from collections.abc import Callable

MAP_SHARE = 0.05
"""Of the worker's time that the map's topics may take."""


class MapPacing:
    """Lets one publication of the map be under way, and the worker rest after it."""

    def __init__(self, wanted: Callable[[bool], bool]) -> None:
        self._wanted = wanted
        self._touched = self._under_way = False
        self._rests_until = 0.0

    def touch(self) -> None:
        """The map may have changed since it was published last."""
        self._touched = True

    def begins(self) -> bool:
        """Whether to publish now; if so, `publish` must follow."""
        if self._under_way or time.monotonic() < self._rests_until:
            return False
        self._under_way = self._wanted(self._touched)
        return self._under_way

    def publish(self, work: Callable[[], None]) -> float:
        """Do the work of publishing the map as it is now; milliseconds it took."""
        began = time.monotonic()
        self._touched = False
        try:
            work()
        finally:
            took = time.monotonic() - began
            self._rests_until = began + took / MAP_SHARE
            self._under_way = False
        return took * 1e3
