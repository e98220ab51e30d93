# SPDX-License-Identifier: Apache-2.0
"""Which photos are compared: few of them with each other, all others with what is like them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from dens3r_ros.mapping.places.place import Places
from dens3r_ros.mapping.places.place_descriptor import PlaceDescriptor
from dens3r_ros.network.retrieval.pair_graph import alike_pairs, key_images
from dens3r_ros.reconstruction.sparse.pieces import pieces

KEYS, NEIGHBOURS = 12, 10
"""Photos far apart that are compared with each other, and what is nearest to each."""
_MORE = 5
"""Photos that one which is hardly tied is compared with in addition."""
_WELL_TIED = 4
_RANKED = 40

Pair = tuple[int, int]


def likeness(descriptors: Sequence[PlaceDescriptor]) -> np.ndarray:
    """(N, N) how much photos look alike, 0 to 1, by descriptors of places."""
    places = Places()
    for number, one in enumerate(descriptors):
        places.put(number, one)
    found = np.eye(len(descriptors))
    for number in range(len(descriptors)):
        for other, score in places.alike(number, _RANKED):
            found[number, other] = max(found[number, other], score)
            found[other, number] = found[number, other]
    return found


def first_pairs(alike: np.ndarray, keys: int = KEYS, neighbours: int = NEIGHBOURS) -> list[Pair]:
    """Pairs to begin with: some `neighbours` for each photo, so that work grows as photos do."""
    if len(alike) < 2:
        return []
    first = int(alike.sum(1).argmax())
    chosen = key_images(alike, min(keys, len(alike)), first)
    return sorted(_ordered(*pair) for pair in alike_pairs(alike, chosen, neighbours))


def more_pairs(alike: np.ndarray, tried: set[Pair], tied: Sequence[Pair]) -> list[Pair]:
    """Pairs to go on with, given those that showed the same: neighbours of neighbours, and for
    each photo that is hardly tied those most like it in other groups."""
    count = len(alike)
    near = np.zeros((count, count), bool)
    for a, b in tied:
        near[a, b] = near[b, a] = True
    shared = near.astype(np.float32) @ near.astype(np.float32)
    group = np.zeros(count, int)
    groups = pieces(range(count), tied)
    for number, members in enumerate(groups):
        group[members] = number
    largest = len(groups[0])
    wanted: set[Pair] = set()
    for photo in range(count):
        loose = near[photo].sum() < _WELL_TIED or len(groups[group[photo]]) < largest
        if not loose:
            continue
        open_ = np.array([_ordered(photo, n) not in tried and n != photo for n in range(count)])
        through = np.where(open_, shared[photo], 0)
        looks = np.where(open_ & (group != group[photo]), alike[photo], 0)
        for order in (through, looks):
            best = np.argsort(-order, kind="stable")[:_MORE]
            wanted |= {_ordered(photo, int(n)) for n in best if order[n] > 0}
    return sorted(wanted - tried)


def good_order(count: int, pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs in an order in which each photo is needed for a short while only."""
    ends = np.array(sorted(pairs), int).reshape(-1, 2)
    ties = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (count, count)).tocsr()
    rank = np.empty(count, int)
    rank[reverse_cuthill_mckee((ties + ties.T).tocsr(), symmetric_mode=True)] = np.arange(count)
    ranks = np.sort(rank[ends], axis=1)
    order = np.lexsort((ranks[:, 0], ranks[:, 1]))
    return [(int(a), int(b)) for a, b in ends[order]]


def _ordered(a: int, b: int) -> Pair:
    return (a, b) if a < b else (b, a)
