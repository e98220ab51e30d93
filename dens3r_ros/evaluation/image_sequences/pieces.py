# SPDX-License-Identifier: Apache-2.0
"""When a map came to be of how many pieces."""

from __future__ import annotations

from collections.abc import Iterable

from dens3r_ros.mapping.update import Update


def pieces_at(updates: Iterable[Update]) -> list[tuple[float, int]]:
    """Seconds from the first image at which the map has come to be of so many pieces."""
    first, told = None, list[tuple[float, int]]()
    for update in updates:
        pieces = update.counters.pieces
        first = update.stamp if first is None else first
        if not told or told[-1][1] != pieces:
            told.append(((update.stamp - first) * 1e-9, pieces))
    return told
