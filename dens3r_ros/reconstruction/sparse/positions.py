# SPDX-License-Identifier: Apache-2.0
"""Units of pairs from depth that they share, then where photos were taken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import lsqr, spsolve

from dens3r_ros.reconstruction.sparse.measured import Depths, MeasuredPair

_FEWEST = 6
"""Anchors of which two pairs must know depth for their units to be compared."""
_NEIGHBOURS = 8
"""Pairs of a photo, those with most depth, that each other one's unit is compared with."""
_ROUNDS = 12
_LEAST_SPREAD = 0.02


def units(measured: Sequence[MeasuredPair]) -> np.ndarray:
    """(M,) what each pair's lengths are to be multiplied with, NaN for those that share no depth
    with most others; their geometric mean is 1."""
    first, second, ratios, weights = _compared(measured)
    count = len(measured)
    together = coo_array((np.ones(len(first)), (first, second)), (count, count))
    pieces = connected_components(together, directed=False)[1]
    kept = pieces == np.bincount(pieces).argmax()
    inside = kept[first] if len(first) else np.zeros(0, bool)
    first, second, ratios, weights = (x[inside] for x in (first, second, ratios, weights))
    logs = np.zeros(count)
    if len(first):
        logs = _least_squares(count, first, second, ratios, weights)
    logs -= logs[kept].mean()
    return np.where(kept, np.exp(logs), np.nan)


def _compared(
    measured: Sequence[MeasuredPair],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of comparisons, the logarithm of the first one's depth over the second one's, and how
    much that tells."""
    around: dict[int, list[int]] = defaultdict(list)
    for number, one in enumerate(measured):
        for photo in (one.a, one.b):
            if len(one.depth_of(photo).ids) >= _FEWEST:
                around[photo].append(number)
    rows = []
    for photo, numbers in around.items():
        numbers.sort(key=lambda n: -len(measured[n].depth_of(photo).ids))
        for place, n in enumerate(numbers):
            for other in numbers[: min(place, _NEIGHBOURS)]:
                found = _ratio(measured[n].depth_of(photo), measured[other].depth_of(photo))
                if found is not None:
                    rows.append((n, other, *found))
    table = np.array(rows).reshape(-1, 4)
    return table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2], table[:, 3]


def _ratio(a: Depths, b: Depths) -> tuple[float, float] | None:
    _, here, there = np.intersect1d(a.ids, b.ids, assume_unique=True, return_indices=True)
    if len(here) < _FEWEST:
        return None
    logs = np.log(a.values[here] / b.values[there])
    middle = float(np.median(logs))
    spread = float(np.median(np.abs(logs - middle))) + _LEAST_SPREAD
    return middle, 1 / (spread**2 * (1 + 20 / len(here)))


def _least_squares(
    count: int, first: np.ndarray, second: np.ndarray, ratios: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Logarithms of units x with x_first - x_second = -ratio, wrong ratios counting little."""
    rows = np.arange(len(first))
    A = coo_array(
        (np.repeat([1.0, -1.0], len(rows)), (np.tile(rows, 2), np.append(first, second))),
        (len(rows), count),
    ).tocsr()
    logs = np.zeros(count)
    robust = np.ones(len(rows))
    for _ in range(_ROUNDS):
        root = np.sqrt(weights * robust)
        logs = lsqr(diags_array(root) @ A, -root * ratios, atol=1e-9, btol=1e-9)[0]
        off = np.abs(A @ logs + ratios)
        robust = 1 / (1 + (off / max(0.05, 1.5 * float(np.median(off)))) ** 2)
    return logs


def centres(
    count: int, measured: Sequence[MeasuredPair], scales: np.ndarray, R: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(count, 3) where photos of directions R stand, the first at the origin, and by what share of
    its own length each comparison's shift (M,) misses that. All hang together."""
    a = np.array([one.a for one in measured])
    b = np.array([one.b for one in measured])
    shift = np.stack([one.T_a_b[:3, 3] for one in measured]) * scales[:, None]
    shift = np.einsum("mij,mj->mi", R[a], shift)
    depth = scales * np.array([_usual_depth(one) for one in measured])
    length = np.linalg.norm(shift, axis=1) + 0.05 * depth
    support = np.array([min(one.support, 200) for one in measured], float)
    rows = np.arange(len(a))
    A = coo_array(
        (np.repeat([-1.0, 1.0], len(rows)), (np.tile(rows, 2), np.append(a, b))),
        (len(rows), count),
    ).tocsr()
    robust, at = np.ones(len(rows)), np.zeros((count, 3))
    off = np.zeros(len(rows))
    for _ in range(_ROUNDS):
        weights = diags_array(support * robust / length**2)
        normal = (A.T @ weights @ A).tocsc()
        held = coo_array(([float(normal.diagonal().max())], ([0], [0])), normal.shape)
        tiny = diags_array(1e-9 * normal.diagonal() + 1e-12)
        at = spsolve((normal + held + tiny).tocsc(), A.T @ (weights @ shift)).reshape(count, 3)
        off = np.linalg.norm(A @ at - shift, axis=1) / length
        robust = 1 / (1 + (off / max(0.1, 1.5 * float(np.median(off)))) ** 2)
    return at - at[0], off


def _usual_depth(one: MeasuredPair) -> float:
    known = np.append(one.depth_a.values, one.depth_b.values)
    return float(np.median(known)) if len(known) else float(np.linalg.norm(one.T_a_b[:3, 3]))


def anchor_depths(
    measured: Sequence[MeasuredPair], scales: np.ndarray, photos: Sequence[int]
) -> dict[int, Depths]:
    """Of every photo the anchors whose depth any of its pairs knows, and the median of it."""
    ids: dict[int, list[np.ndarray]] = defaultdict(list)
    values: dict[int, list[np.ndarray]] = defaultdict(list)
    for one, scale in zip(measured, scales, strict=True):
        if np.isfinite(scale):
            for photo in (one.a, one.b):
                depth = one.depth_of(photo)
                ids[photo].append(depth.ids)
                values[photo].append(depth.values * scale)
    return {photo: _medians(ids[photo], values[photo]) for photo in photos}


def _medians(ids: list[np.ndarray], values: list[np.ndarray]) -> Depths:
    if not ids:
        return Depths(np.zeros(0, int), np.zeros(0))
    which, depth = np.concatenate(ids), np.concatenate(values)
    order = np.lexsort((depth, which))
    which, depth = which[order], depth[order]
    unique, start, counts = np.unique(which, return_index=True, return_counts=True)
    return Depths(unique, depth[start + counts // 2])
