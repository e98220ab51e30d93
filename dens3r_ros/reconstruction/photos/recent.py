# SPDX-License-Identifier: Apache-2.0
"""What was made of the photos that were needed last, within a bound on memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Generic, TypeVar

_BYTES = 256_000_000

T = TypeVar("T")


def held_bytes(thing: object) -> int:
    """Bytes of the arrays in an object, as far as its fields and items show them."""
    if is_dataclass(thing):
        return sum(held_bytes(getattr(thing, field.name)) for field in fields(thing))
    if isinstance(thing, dict):
        return held_bytes(list(thing.values()))
    if isinstance(thing, list | tuple):
        return sum(map(held_bytes, thing))
    return int(getattr(thing, "nbytes", 0))


class Recent(Generic[T]):
    """Makes things by number, and keeps those needed last, as much as `most` bytes hold, the two
    latest in any case; `weigh` tells bytes of one."""

    def __init__(
        self,
        make: Callable[[int], T],
        weigh: Callable[[T], int] = held_bytes,
        most: int = _BYTES,
    ) -> None:
        self._make, self._weigh, self._most = make, weigh, most
        self._kept: OrderedDict[int, tuple[T, int]] = OrderedDict()
        self._bytes = 0

    def __call__(self, number: int) -> T:
        if number not in self._kept:
            made = self._make(number)
            self._kept[number] = made, self._weigh(made)
            self._bytes += self._kept[number][1]
            while self._bytes > self._most and len(self._kept) > 2:
                self._bytes -= self._kept.popitem(last=False)[1][1]
        self._kept.move_to_end(number)
        return self._kept[number][0]
