# SPDX-License-Identifier: Apache-2.0
"""How much repeated measurements of one ratio differ."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def spread_of(ratios: Iterable[float]) -> float:
    """Interquartile range over the median; infinite where there are none."""
    known = tuple(ratios)
    if not known:
        return float("inf")
    low, middle, high = np.percentile(known, [25, 50, 75])
    return float((high - low) / middle)
