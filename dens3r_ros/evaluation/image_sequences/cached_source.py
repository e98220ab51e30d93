# SPDX-License-Identifier: Apache-2.0
"""A source that is read once although several look at it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from dens3r_ros.frame import Frame
from dens3r_ros.sources.source import Source, Truth

T = TypeVar("T")


class CachedSource:
    """The same source, remembering the latest frames and truths."""

    def __init__(self, source: Source, keep: int = 8) -> None:
        self.name = source.name
        self.imu = getattr(source, "imu", None)
        self.hall = getattr(source, "hall", None)
        self._source = source
        self._keep = keep
        self._frames: OrderedDict[int, Frame] = OrderedDict()
        self._truths: OrderedDict[int, Truth | None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Frame:
        return self._kept(self._frames, range(len(self))[index], self._source.__getitem__)

    def truth(self, index: int) -> Truth | None:
        """What is known to be true of the frame at `index`."""
        return self._kept(self._truths, range(len(self))[index], self._source.truth)

    def _kept(self, kept: OrderedDict[int, T], index: int, read: Callable[[int], T]) -> T:
        if index not in kept:
            kept[index] = read(index)
            while len(kept) > self._keep:
                kept.popitem(last=False)
        return kept[index]
