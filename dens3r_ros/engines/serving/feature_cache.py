# SPDX-License-Identifier: Apache-2.0
"""Features by key, the least recently used forgotten first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from torch import Tensor

from dens3r_ros.engines.protocol import Features


class FeatureCache:
    """Holds at most `limit` bytes, but always the one that came last."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.forgotten = 0
        self._kept: OrderedDict[str, tuple[Features, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: str) -> bool:
        return key in self._kept

    def get(self, key: str) -> Features | None:
        """What is kept under a key, which counts as used now."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def put(self, key: str, features: Features) -> None:
        """Keep features, and forget the oldest beyond the limit."""
        if key in self._kept:
            self.size -= self._kept.pop(key)[1]
        size = bytes_of(features)
        self._kept[key] = features, size
        self.size += size
        while self.size > self.limit and len(self._kept) > 1:
            _, (_, freed) = self._kept.popitem(last=False)
            self.size -= freed
            self.forgotten += 1


def bytes_of(value: Any) -> int:
    """Of all arrays and tensors in it."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, (list, tuple)):
        return sum(bytes_of(one) for one in value)
    if is_dataclass(value):
        return sum(bytes_of(getattr(value, field.name)) for field in fields(value))
    return 0
