# SPDX-License-Identifier: Apache-2.0
"""The mean of maps that come one by one."""

from __future__ import annotations

import numpy as np


class RunningMap:
    """Of maps (H, W), each where it is known, which is where it is finite; 0 where none is."""

    def __init__(self) -> None:
        self._sum: np.ndarray | float = 0.0
        self._count: np.ndarray | int = 0

    def add(self, one: np.ndarray) -> None:
        """One more."""
        known = np.isfinite(one)
        self._sum, self._count = self._sum + np.where(known, one, 0), self._count + known

    @property
    def value(self) -> np.ndarray:
        """(H, W)."""
        return np.asarray(self._sum / np.maximum(self._count, 1))
