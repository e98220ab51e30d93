# SPDX-License-Identifier: Apache-2.0
"""Pairs of images from how alike they are, as MASt3R-SfM chooses them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def key_images(similarity: np.ndarray, count: int, first: int) -> list[int]:
    """`count` images far apart from each other, `first` being one of them, in that order."""
    apart = 1.0 - similarity
    keys = [first]
    while len(keys) < min(count, len(apart)):
        keys.append(int(apart[keys].min(axis=0).argmax()))
    return keys


def alike_pairs(
    similarity: np.ndarray, keys: Sequence[int], neighbours: int
) -> set[tuple[int, int]]:
    """Pairs (a, b): all keys with each other, every image with a key and with what is like it.

    Of the `neighbours` most like an image the image itself is one. Keys are paired in the order in
    which they were chosen, all others with the smaller index first.
    """
    apart = 1.0 - similarity
    pairs = {(a, b) for n, a in enumerate(keys) for b in keys[n + 1 :]}
    for image, row in enumerate(apart):
        if len(keys) and image not in keys:
            pairs.add(_ordered(image, keys[int(row[list(keys)].argmin())]))
        nearest = row.argsort()[:neighbours]
        pairs |= {_ordered(image, int(other)) for other in nearest if other != image}
    return pairs


def _ordered(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)
