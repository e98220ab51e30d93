# SPDX-License-Identifier: Apache-2.0
"""Maps of an answer in one piece of bytes, packed by several threads.

For a batch of many robots that would take one thread longer than the network takes a fast card.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import Any

import numpy as np

from dens3r_ros.engines.remote.packing import Packing, pack


class Parcel:
    """Maps are added, which begins to pack them, and lie one after the other once it is closed."""

    def __init__(self, packing: Packing, packers: Executor) -> None:
        self._packing, self._packers = packing, packers
        self._begun: list[tuple[dict[str, Any], Future[tuple[dict[str, Any], bytes]]]] = []

    def add(self, name: str, batch: np.ndarray) -> dict[str, Any]:
        """What the answer's head says of maps (B, H, W, ...): how each is packed and where it lies,
        which `closed` fills in."""
        each: list[dict[str, Any]] = [{} for _ in batch]
        for about, one in zip(each, batch, strict=True):
            packed = self._packers.submit(pack, name, one, self._packing)
            self._begun.append((about, packed))
        return {"each": each}

    def closed(self) -> bytes:
        """All of it."""
        parts, size = [], 0
        for about, packed in self._begun:
            how, data = packed.result()
            about.update(how, at=size, bytes=len(data))
            parts.append(data)
            size += len(data)
        return b"".join(parts)
