# SPDX-License-Identifier: Apache-2.0
"""How alike images are by their local features: aggregated selective match kernels over words.

Every feature is taken for its nearest word of a codebook; of each word an image keeps only how its
features differ from it. Two images are alike where they differ from the same words the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_BITS = 32
_POWER = 3
_SPARE = 4
"""Words beyond those wanted that are looked at closely, since products of matrices are rounded."""
_ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)
"""Set bits of a byte, for versions of NumPy that cannot count them."""
QUERY_WORDS = 5
"""Nearest words that a feature of the image that is looked for is taken for."""


@dataclass(frozen=True, eq=False)
class ImageWords:
    """What an image keeps: `words` (W,) rising, and `sums` (W, D) of differences from each."""

    words: np.ndarray
    sums: np.ndarray


def words_of(features: np.ndarray, codebook: np.ndarray, nearest: int = 1) -> ImageWords:
    """Words of an image from its features (L, D) and the codebook (K, D)."""
    index = _nearest_words(features, codebook, min(nearest, len(codebook)))
    differences = features[:, None] - codebook[index]
    words, where = np.unique(index, return_inverse=True)
    sums = np.zeros((len(words), features.shape[1]))
    np.add.at(sums, where.reshape(-1), differences.reshape(-1, features.shape[1]))
    return ImageWords(words, sums)


def _nearest_words(features: np.ndarray, codebook: np.ndarray, count: int) -> np.ndarray:
    """(L, count) words nearest to each feature, in no order: some by a product of matrices, which
    is quick for large codebooks, of these the nearest by their exact distance."""
    some = min(count + _SPARE, len(codebook))
    rough = 0.5 * (codebook**2).sum(1)[None] - features @ codebook.T
    index = np.argpartition(rough, some - 1, axis=1)[:, :some]
    index.sort(axis=1)
    off = features[:, None].astype(np.float64) - codebook[index]
    order = np.argsort((off**2).sum(-1), axis=1, kind="stable")[:, :count]
    return np.take_along_axis(index, order, axis=1)


def similarities(
    features: Sequence[np.ndarray],
    codebook: np.ndarray,
    query_words: int = QUERY_WORDS,
    binary: bool = True,
) -> np.ndarray:
    """(N, N) how alike images are, by their features (L, D): row by row what each would find.

    Not symmetric, since an image that is looked for has more words. `binary` compares signs alone,
    which is what codes on disk hold.
    """
    stored = [words_of(image, codebook) for image in features]
    wanted = [words_of(image, codebook, query_words) for image in features]
    if binary:
        return _by_signs(wanted, stored)
    return np.array([[score(query, image) for image in stored] for query in wanted])


def score(query: ImageWords, image: ImageWords) -> float:
    """How alike two images are by the angle between differences, at most about 1."""
    _, ours, theirs = np.intersect1d(
        query.words, image.words, assume_unique=True, return_indices=True
    )
    alike = _cosine(query.sums[ours], image.sums[theirs])
    total = np.where(alike >= 0, alike, 0.0) ** _POWER
    return float(total.sum() / np.sqrt(len(query.words) * len(image.words)))


def _by_signs(wanted: Sequence[ImageWords], stored: Sequence[ImageWords]) -> np.ndarray:
    """(N, M) by the signs of differences; codes are filled up to whole words of 32 bits, which all
    agree. The words of all images lie in one list, so that each query reads only those it has."""
    words = np.concatenate([image.words for image in stored])
    owner = np.repeat(np.arange(len(stored)), [len(image.words) for image in stored])
    order = np.argsort(words, kind="stable")
    words, owner = words[order], owner[order]
    codes = np.concatenate([_code(image) for image in stored])[order]
    bits = -(-stored[0].sums.shape[1] // _BITS) * _BITS
    found = np.zeros((len(wanted), len(stored)))
    for row, query in zip(found, wanted, strict=True):
        first, last = (np.searchsorted(words, query.words, side) for side in ("left", "right"))
        ours = np.repeat(np.arange(len(query.words)), last - first)
        start = np.repeat(first - np.append(0, np.cumsum(last - first)[:-1]), last - first)
        theirs = np.arange(len(ours)) + start
        differing = _ONES[_code(query)[ours] ^ codes[theirs]].sum(1)
        alike = np.maximum(1.0 - 2.0 * differing / bits, 0.0) ** _POWER
        row += np.bincount(owner[theirs], alike, len(stored)) / np.sqrt(len(query.words))
    return found / np.sqrt([len(image.words) for image in stored])


def _code(image: ImageWords) -> np.ndarray:
    return np.packbits(image.sums > 0, axis=1)


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) / np.maximum(lengths, np.finfo(float).tiny)
