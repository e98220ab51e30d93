# SPDX-License-Identifier: Apache-2.0
"""What waits between the executor that receives images and the worker that processes them."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
_URGENT, _PATIENT = "\0urgent", "\0patient"
_KEPT = _URGENT, _PATIENT


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

    def put_first(self, item: T) -> bool:
        """Add an item that is handed out before all of cameras, in the order of its like, and
        never dropped for a newer one; False once the box is closed."""
        with self._changed:
            if not self._closed:
                self._items.insert(self._urgent(), (_URGENT, item))
                self._changed.notify()
            return not self._closed

    def put_second(self, item: T) -> bool:
        """Add an item that lets one image of those that wait pass before it, and is never dropped;
        False once the box is closed."""
        with self._changed:
            if not self._closed:
                self._items.insert(self._urgent() + 1, (_PATIENT, item))
                self._changed.notify()
            return not self._closed

    def _urgent(self) -> int:
        """Items at the front that go before all others."""
        ranks = (n for n, (who, _) in enumerate(self._items) if who != _URGENT)
        return next(ranks, len(self._items))

    def take(self) -> T | None:
        """Wait for the next item; None once the box is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            return None if self._closed else self._items.popleft()[1]

    def clear(self) -> int:
        """Throw away the images that wait; how many that were."""
        with self._changed:
            kept = [entry for entry in self._items if entry[0] in _KEPT]
            count = len(self._items) - len(kept)
            self._items = deque(kept)
            return count

    def close(self) -> list[T]:
        """Wake the worker for the last time; what nobody will take any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            left = [item for _, item in self._items]
            self._items.clear()
            return left

    def __len__(self) -> int:
        """Images that wait."""
        with self._changed:
            return sum(who not in _KEPT for who, _ in self._items)
