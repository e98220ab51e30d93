# SPDX-License-Identifier: Apache-2.0
"""What waits between the executor that receives images and the worker that processes them."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
_URGENT = "\0urgent"


@dataclass
class Mailbox(Generic[T]):
    """Keeps at most `capacity` items of each camera, handed out in the order they came.

    `keep_latest`: a full box drops its oldest item of that camera, else it refuses the new one.
    """

    capacity: int
    keep_latest: bool
    _items: deque[tuple[str, T]] = field(default_factory=deque)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _closed: bool = False

    def put(self, camera: str, item: T) -> T | None:
        """Add an item; what had to be dropped for it (perhaps the item itself) is returned."""
        with self._changed:
            mine = [entry for entry in self._items if entry[0] == camera]
            dropped = None
            if len(mine) >= self.capacity:
                if not self.keep_latest:
                    return item
                dropped = mine[0][1]
                self._items.remove(mine[0])
            self._items.append((camera, item))
            self._changed.notify()
            return dropped

    def put_first(self, item: T) -> None:
        """Add an item that is handed out next and never dropped for a newer one."""
        with self._changed:
            self._items.appendleft((_URGENT, item))
            self._changed.notify()

    def take(self) -> T | None:
        """Wait for the next item; None once the box is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            return None if self._closed else self._items.popleft()[1]

    def clear(self) -> int:
        """Throw away the images that wait; how many that were."""
        with self._changed:
            kept = [entry for entry in self._items if entry[0] == _URGENT]
            count = len(self._items) - len(kept)
            self._items = deque(kept)
            return count

    def close(self) -> None:
        """Wake the worker for the last time."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        with self._changed:
            return len(self._items)
