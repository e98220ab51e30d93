# SPDX-License-Identifier: Apache-2.0
"""Which photos hang together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dens3r_ros.reconstruction.sparse.measured import MeasuredPair


def pieces(photos: Sequence[int], edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The photos in groups that edges tie together, largest first."""
    place = {photo: n for n, photo in enumerate(photos)}
    inside = [(place[a], place[b]) for a, b in edges if a in place and b in place]
    ends = np.array(inside, int).reshape(-1, 2)
    shape = len(place), len(place)
    ties = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape)
    which = connected_components(ties, directed=False)[1]
    groups = [[photos[int(n)] for n in np.flatnonzero(which == k)] for k in range(which.max() + 1)]
    return sorted(groups, key=len, reverse=True)


def within(measured: Iterable[MeasuredPair], photos: Iterable[int]) -> list[MeasuredPair]:
    """Comparisons of two of the photos."""
    inside = set(photos)
    return [one for one in measured if one.a in inside and one.b in inside]
