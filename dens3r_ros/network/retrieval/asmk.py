# SPDX-License-Identifier: Apache-2.0
"""How alike images are by their local features: aggregated selective match kernels over words.

Every feature is taken for its nearest word of a codebook; of each word an image keeps only how its
features differ from it. Two images are alike where they differ from the same words the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

_BITS = 32
_POWER = 3
QUERY_WORDS = 5
"""Nearest words that a feature of the image that is looked for is taken for."""


@dataclass(frozen=True, eq=False)
class ImageWords:
    """What an image keeps: `words` (W,) rising, and `sums` (W, D) of differences from each."""

    words: np.ndarray
    sums: np.ndarray


def words_of(features: np.ndarray, codebook: np.ndarray, nearest: int = 1) -> ImageWords:
    """Words of an image from its features (L, D) and the codebook (K, D)."""
    nearest = min(nearest, len(codebook))
    distances = cdist(features, codebook, "sqeuclidean")
    index = np.argsort(distances, axis=1, kind="stable")[:, :nearest]
    differences = features[:, None] - codebook[index]
    words, where = np.unique(index, return_inverse=True)
    sums = np.zeros((len(words), features.shape[1]))
    np.add.at(sums, where.reshape(-1), differences.reshape(-1, features.shape[1]))
    return ImageWords(words, sums)


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
    return np.array([[score(query, image, binary) for image in stored] for query in wanted])


def score(query: ImageWords, image: ImageWords, binary: bool = True) -> float:
    """How alike two images are, at most about 1."""
    _, ours, theirs = np.intersect1d(
        query.words, image.words, assume_unique=True, return_indices=True
    )
    a, b = query.sums[ours], image.sums[theirs]
    alike = _sign_agreement(a, b) if binary else _cosine(a, b)
    total = np.where(alike >= 0, alike, 0.0) ** _POWER
    return float(total.sum() / np.sqrt(len(query.words) * len(image.words)))


def _sign_agreement(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """From -1 to 1; codes are filled up to whole words of 32 bits, which all agree."""
    differing = ((a > 0) != (b > 0)).sum(axis=1)
    bits = -(-a.shape[1] // _BITS) * _BITS
    return 1.0 - 2.0 * differing / bits


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) / np.maximum(lengths, np.finfo(float).tiny)
