# SPDX-License-Identifier: Apache-2.0
"""Which pairs of an unordered or ordered set of images are worth predicting."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

Pair = tuple[int, int]


def make_pairs(
    count: int, graph: str = "complete", symmetric: bool = True, within: str | None = None
) -> list[Pair]:
    """Sorted pairs (a, b) of `count` images, each once, with (b, a) too where `symmetric`.

    graph: "complete"; "swin-K", every image with the next K; "logwin-K", with those 1, 2, 4 ...
    2^(K-1) away; "oneref-R", image R with all others. The windows close to a circle unless
    "-noncyclic" follows; a "swin" that reaches all around pairs images with themselves too.
    within: "seqD" or "cycD" keeps pairs at most D apart, in a row or on a circle.
    """
    pairs = _graph_pairs(count, graph)
    if within is not None:
        pairs = {pair for pair in pairs if _is_within(pair, count, within)}
    return sorted(_both_ways(pairs) if symmetric else pairs)


def retrieval_pairs(
    similarity: np.ndarray, keys: int = 20, neighbours: int = 10, symmetric: bool = True
) -> list[Pair]:
    """Sorted pairs of images that look alike, by an (N, N) matrix of similarities up to 1.

    `keys` images far apart from each other are all paired; every other image joins the key most
    like it, and every image the `neighbours` most like it.
    """
    apart = 1.0 - (similarity + similarity.T) / 2
    np.fill_diagonal(apart, np.inf)
    chosen = _far_apart(apart, min(keys, len(apart)))
    pairs = {(a, b) for a in chosen for b in chosen if a < b}
    for image in set(range(len(apart))) - set(chosen):
        pairs.add(_ordered(image, chosen[int(apart[image, chosen].argmin())]))
    for image, distances in enumerate(apart):
        nearest = distances.argsort(kind="stable")[: min(neighbours, len(apart) - 1)]
        pairs |= {_ordered(image, int(other)) for other in nearest}
    return sorted(_both_ways(pairs) if symmetric else pairs)


def _graph_pairs(count: int, graph: str) -> set[Pair]:
    parsed = re.fullmatch(r"(complete|swin|logwin|oneref)(?:-(\d+))?(-noncyclic)?", graph)
    if parsed is None:
        raise ValueError(
            f'unknown pair graph "{graph}": expected complete, swin-K, logwin-K or oneref-R, '
            "windows with -noncyclic at will"
        )
    kind, number, open_ended = parsed.groups()
    if kind == "complete":
        return {(a, b) for a in range(count) for b in range(a)}
    if kind == "oneref":
        return _reference_pairs(count, int(number or 0))
    reach = int(number or 3)
    if kind == "swin":
        return _window_pairs(count, range(1, reach + 1), cyclic=not open_ended)
    pairs = _window_pairs(count, (2**k for k in range(reach)), cyclic=not open_ended)
    return {(a, b) for a, b in pairs if a != b}


def _reference_pairs(count: int, reference: int) -> set[Pair]:
    if reference >= count:
        raise ValueError(f"reference image {reference} is not among {count} images, from 0")
    return {(reference, other) for other in range(count) if other != reference}


def _window_pairs(count: int, steps: Iterable[int], cyclic: bool) -> set[Pair]:
    pairs = {(image, image + step) for step in steps for image in range(count)}
    if cyclic:
        return {_ordered(a, b % count) for a, b in pairs}
    return {(a, b) for a, b in pairs if b < count}


def _is_within(pair: Pair, count: int, within: str) -> bool:
    parsed = re.fullmatch(r"(seq|cyc)(\d+)", within)
    if parsed is None:
        raise ValueError(f'unknown limit "{within}": expected seqD or cycD with a distance D')
    distance = abs(pair[0] - pair[1])
    if parsed[1] == "cyc":
        distance = min(distance, count - distance)
    return distance <= int(parsed[2])


def _far_apart(apart: np.ndarray, count: int) -> list[int]:
    """Images chosen one by one, each the farthest from all before it."""
    finite = np.where(np.isinf(apart), 0.0, apart)
    chosen = [int(finite.sum(1).argmax())]
    while len(chosen) < count:
        distance = finite[:, chosen].min(1)
        distance[chosen] = -np.inf
        chosen.append(int(distance.argmax()))
    return chosen


def _ordered(a: int, b: int) -> Pair:
    return min(a, b), max(a, b)


def _both_ways(pairs: set[Pair]) -> set[Pair]:
    return pairs | {(b, a) for a, b in pairs}
