# SPDX-License-Identifier: Apache-2.0
"""All comparisons of a collection: the first ones by looks, more where photos are hardly tied."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dens3r_ros.reconstruction.photos.comparing import ByKeypoints, Comparing
from dens3r_ros.reconstruction.photos.pair_files import Pair, PairFiles
from dens3r_ros.reconstruction.photos.retrieval import (
    first_pairs,
    good_order,
    more_pairs,
)
from dens3r_ros.reconstruction.sparse.measured import Collection

_ROUNDS = 2
"""Of further comparisons after the first ones."""

OnPair = Callable[[int, int], None]


def collected(
    alike: np.ndarray,
    comparing: Comparing,
    files: PairFiles,
    metric: bool,
    on_pair: OnPair = lambda done, total: None,
) -> Collection:
    """Compare photos, by how much (N, N) they look alike, as far as `files` does not know the
    outcome; `on_pair` hears how many are done of how many, and may raise to stop."""
    count = len(alike)
    pairs = first_pairs(alike)
    found: dict[Pair, int] = {}
    _compare(good_order(count, pairs), comparing, files, found, on_pair)
    if isinstance(comparing, ByKeypoints) and _learned(comparing, found):
        files = files.anew()
        _compare(good_order(count, pairs), comparing, files, found, on_pair)
    for _ in range(_ROUNDS):
        more = more_pairs(alike, set(found), [pair for pair, support in found.items() if support])
        if not more:
            break
        _compare(good_order(count, more), comparing, files, found, on_pair)
    measured = [one for pair in sorted(found) if found[pair] for one in files.get(pair)]
    shown = sorted({photo for one in measured for photo in (one.a, one.b)})
    return Collection(
        {photo: comparing.camera(photo) for photo in shown},
        {photo: comparing.anchors(photo) for photo in shown},
        measured,
        metric,
    )


def _compare(
    pairs: Sequence[Pair],
    comparing: Comparing,
    files: PairFiles,
    found: dict[Pair, int],
    on_pair: OnPair,
) -> None:
    """How much supports each pair, 0 for none. What is measured stays on disk until all is: small
    arrays between large ones that come and go would hold memory in pieces."""
    for done, pair in enumerate(pairs):
        if files.has(pair):
            found[pair] = files.support(pair)
        else:
            measured = comparing.compare(pair)
            files.put(pair, measured)
            found[pair] = measured[0].support if measured else 0
        on_pair(done + 1, len(pairs))


def _learned(comparing: ByKeypoints, found: dict[Pair, int]) -> bool:
    """Whether pairs told lenses that were not known: all are then compared anew."""
    tied = [pair for pair, support in found.items() if support]
    for pair in sorted(tied, key=lambda pair: -found[pair]):
        comparing.vote(pair)
    return comparing.settle()
