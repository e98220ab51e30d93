# SPDX-License-Identifier: Apache-2.0
"""Image and maps of one and the same moment, the one that shows most."""

from __future__ import annotations

from typing import Any

import numpy as np

_KEPT = 60
"""Moments that wait for their maps: two seconds of images at 30 a second."""


class Moments:
    """Puts messages of several topics together by their stamps, and keeps the best moment."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._waiting: dict[int, dict[str, Any]] = {}
        self._best = -1.0
        self.shown: dict[str, Any] = {}
        """Messages by name, all of one stamp; empty before there is a whole moment."""

    def add(self, name: str, stamp: int, message: Any, depth: np.ndarray | None = None) -> None:
        """One more message; `depth` (H, W) is its content where it is the depth."""
        moment = self._waiting.setdefault(stamp, {})
        moment[name] = message
        if depth is not None:
            moment["worth"] = variety(depth)
        if all(one in moment for one in self._names):
            self._judge(self._waiting.pop(stamp))
        while len(self._waiting) > _KEPT:
            del self._waiting[min(self._waiting)]

    def _judge(self, moment: dict[str, Any]) -> None:
        worth = moment.pop("worth", 0.0)
        if worth > self._best:
            self._best, self.shown = worth, moment


def variety(depth: np.ndarray) -> float:
    """How much there is to see in a depth image, NaN where unknown: near and far, without gaps."""
    some = depth[::8, ::8]
    known = some[np.isfinite(some) & (some > 0)]
    return float(np.log(known).std()) * len(known) / some.size if len(known) else 0.0
