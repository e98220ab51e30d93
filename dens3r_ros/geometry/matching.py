# SPDX-License-Identifier: Apache-2.0
"""Reciprocal nearest neighbours between two images, on descriptors or on 3-D points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

Similarity = Literal["dot", "euclidean"]
NearestTo = Callable[[Tensor], Tensor]

_BLOCK_QUERIES, _BLOCK_KEYS = 1024, 2048
_MOST_ROUNDS = 10


@dataclass(frozen=True, eq=False)
class PixelMatches:
    """Pixels (x, y) of two images that show the same point; (M, 2) int64 each."""

    pixels_a: Tensor
    pixels_b: Tensor
    confidence: Tensor | None = None
    """(M,), where the maps came with any."""


def nearest_by_dot(queries: Tensor, keys: Tensor) -> Tensor:
    """(N,) index of the key (M, D) with the largest product with each query (N, D), first wins.

    Never holds more than a fixed number of products at once.
    """
    return torch.cat([_nearest_in_blocks(part, keys) for part in queries.split(_BLOCK_QUERIES)])


def reciprocal_points(points_a: Tensor, points_b: Tensor) -> tuple[Tensor, Tensor]:
    """Which of points b (M, 3) are nearest neighbours with a point of a (N, 3), both ways.

    Returns the mask (M,) and the index (M,) in a of the nearest neighbour of each point of b.
    """
    to_b, to_a = _finders(points_a, points_b, "euclidean")
    nearest_a = to_a(torch.arange(len(points_b), device=points_b.device))
    nearest_b = to_b(torch.arange(len(points_a), device=points_a.device))
    return nearest_b[nearest_a] == torch.arange(len(points_b), device=points_b.device), nearest_a


def fast_reciprocal_matches(
    map_a: Tensor,
    map_b: Tensor,
    subsample: int = 8,
    similarity: Similarity = "dot",
    tolerance: float = 0.0,
) -> PixelMatches:
    """Reciprocal matches of maps (H, W, D), found from a grid of seeds in image a.

    Each seed follows nearest neighbours to b and back until it stops at a reciprocal pair; pairs
    come sorted by pixel of a, then of b. With a `tolerance` in pixels every seed goes there and
    back once, and matches where it arrived if it came back closer than that to its start.
    """
    (height, width), width_b = map_a.shape[:2], map_b.shape[1]
    seeds = _grid(height, width, subsample).flatten().to(map_a.device)
    to_b, to_a = _finders(map_a.flatten(0, 1), map_b.flatten(0, 1), similarity)
    if tolerance > 0:
        there = to_b(seeds)
        strayed = _pixels(to_a(there), width) - _pixels(seeds, width)
        kept = strayed.double().norm(dim=-1) < tolerance
        return PixelMatches(_pixels(seeds[kept], width), _pixels(there[kept], width_b))
    pairs = torch.stack(_converged(seeds, to_b, to_a), -1).unique(dim=0)
    return PixelMatches(_pixels(pairs[:, 0], width), _pixels(pairs[:, 1], width_b))


def symmetric_matches(
    map_pairs: Sequence[tuple[Tensor, Tensor]],
    confidence_a: Tensor | None = None,
    confidence_b: Tensor | None = None,
    subsample: int = 8,
    similarity: Similarity = "dot",
    tolerance: float = 0.0,
    combine: Literal["least", "geometric"] = "geometric",
) -> PixelMatches:
    """Matches from a to b and from b to a for every pair of maps (H, W, D), merged.

    The pairs are predictions of the same two images, such as both directions of a pair. The
    confidence of a match is the least, or the geometric mean, of those (H, W) of its two pixels.
    """
    found = []
    for map_a, map_b in map_pairs:
        forth = fast_reciprocal_matches(map_a, map_b, subsample, similarity, tolerance)
        back = fast_reciprocal_matches(map_b, map_a, subsample, similarity, tolerance)
        found += [(forth.pixels_a, forth.pixels_b), (back.pixels_b, back.pixels_a)]
    pixels = torch.cat([torch.cat([a[:, [1, 0]], b[:, [1, 0]]], -1) for a, b in found])
    row_a, column_a, row_b, column_b = pixels.unique(dim=0).unbind(-1)
    confidence = None
    if confidence_a is not None and confidence_b is not None:
        of_a, of_b = confidence_a[row_a, column_a], confidence_b[row_b, column_b]
        confidence = torch.minimum(of_a, of_b) if combine == "least" else (of_a * of_b).sqrt()
    return PixelMatches(
        torch.stack([column_a, row_a], -1), torch.stack([column_b, row_b], -1), confidence
    )


def _converged(seeds: Tensor, to_b: NearestTo, to_a: NearestTo) -> tuple[Tensor, Tensor]:
    here, there = seeds.clone(), torch.full_like(seeds, -1)
    active = torch.arange(len(seeds), device=seeds.device)
    for _ in range(_MOST_ROUNDS):
        active = _follow(there, active, to_b(here[active]))
        active = _follow(here, active, to_a(there[active]))
        if len(active) == 0:
            break
    settled = torch.ones_like(seeds, dtype=torch.bool)
    settled[active] = False
    return here[settled], there[settled]


def _follow(position: Tensor, active: Tensor, found: Tensor) -> Tensor:
    """Move the active seeds, and return those that did move."""
    moved = found != position[active]
    position[active] = found
    return active[moved]


def _finders(flat_a: Tensor, flat_b: Tensor, similarity: Similarity) -> tuple[NearestTo, NearestTo]:
    """From indices in a to the nearest ones in b, and the other way."""
    if similarity == "dot":
        return (
            lambda index: nearest_by_dot(flat_a[index], flat_b),
            lambda index: nearest_by_dot(flat_b[index], flat_a),
        )
    array_a, array_b = flat_a.cpu().numpy(), flat_b.cpu().numpy()
    return _tree_finder(array_a, cKDTree(array_b)), _tree_finder(array_b, cKDTree(array_a))


def _tree_finder(queries: np.ndarray, tree: cKDTree) -> NearestTo:
    def find(index: Tensor) -> Tensor:
        nearest = tree.query(queries[index.cpu().numpy()], workers=-1)[1]
        return torch.from_numpy(nearest).to(index)

    return find


def _nearest_in_blocks(queries: Tensor, keys: Tensor) -> Tensor:
    best = queries.new_full((len(queries),), -torch.inf)
    index = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
    for start in range(0, len(keys), _BLOCK_KEYS):
        value, found = (queries @ keys[start : start + _BLOCK_KEYS].T).max(-1)
        index = torch.where(value > best, found + start, index)
        best = torch.maximum(best, value)
    return index


def _grid(height: int, width: int, step: int) -> Tensor:
    return torch.arange(height * width).view(height, width)[step // 2 :: step, step // 2 :: step]


def _pixels(index: Tensor, width: int) -> Tensor:
    return torch.stack([index % width, index // width], -1)
