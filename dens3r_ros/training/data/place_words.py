# SPDX-License-Identifier: Apache-2.0
"""Makes the vocabulary that places are described with, from procedural scenes.

`python -m dens3r_ros.training.data.place_words models/places.npz` takes some minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dens3r_ros.mapping.places.place_descriptor import (
    Vocabulary,
    binary_corners,
    gradient_histograms,
    projected_histograms,
    signs,
    small_grey,
    view_vector,
)
from dens3r_ros.scenes.heldout import FIRST_TRAINING_SEED
from dens3r_ros.scenes.pairs import sample_pairs

_PAIRS = 144
_SIZE = (240, 320)
_DIMENSIONS = 32
_CENTRES = 32
_WORDS = 256
_PER_IMAGE = 150
_MOST_CORNERS = 30000


def make_vocabulary(greys: list[np.ndarray]) -> Vocabulary:
    """From (h, w) uint8 images; the same for the same images."""
    random = np.random.RandomState(0)
    found = [gradient_histograms(grey) for grey in greys]
    histograms = np.concatenate([h[random.permutation(len(h))[:_PER_IMAGE]] for h in found])
    mean = histograms.mean(0)
    _, lengths, axes = np.linalg.svd(histograms - mean, full_matrices=False)
    deviations = lengths[:_DIMENSIONS, None] / np.sqrt(len(histograms))
    projection = (axes[:_DIMENSIONS] / np.sqrt(deviations)).T.astype(np.float32)
    projected = np.concatenate([projected_histograms(g, mean, projection) for g in greys])
    projected = projected[random.permutation(len(projected))[: len(histograms)]]
    centres = _clustered(projected, _CENTRES, random, lambda part: part.mean(0))
    corners = signs(np.concatenate([binary_corners(grey) for grey in greys]))
    corners = corners[random.permutation(len(corners))[:_MOST_CORNERS]]
    words = _clustered(corners, _WORDS, random, _majority)
    nowhere = np.zeros(centres.size, np.float32)
    start = Vocabulary(mean, projection, centres, nowhere, words)
    middle = np.mean([view_vector(grey, start, centred=False) for grey in greys], 0)
    return Vocabulary(mean, projection, centres, middle.astype(np.float32), words)


def _majority(part: np.ndarray) -> np.ndarray:
    return np.where(part.mean(0) >= 0, 1, -1)


def _clustered(
    values: np.ndarray,
    count: int,
    random: np.random.RandomState,
    middle: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """(count, D) middles of clusters, by Lloyd's algorithm."""
    centres = values[random.choice(len(values), count, replace=False)].copy()
    for _ in range(15):
        nearest = (values @ centres.T - (centres**2).sum(1) / 2).argmax(1)
        for n in range(count):
            part = values[nearest == n]
            centres[n] = middle(part) if len(part) else values[random.randint(len(values))]
    return centres


def training_images() -> list[np.ndarray]:
    """(240, 320) uint8 images of scenes that no evaluation uses."""
    greys = []
    for n in range(_PAIRS):
        pair = sample_pairs([FIRST_TRAINING_SEED + n], *_SIZE)
        for image in (pair.image_a, pair.image_b):
            pixels = ((image[0] + 1) * 127.5).round().numpy().astype(np.uint8)
            greys.append(small_grey(np.ascontiguousarray(pixels.transpose(1, 2, 0))))
    return greys


if __name__ == "__main__":
    make_vocabulary(training_images()).save(Path(sys.argv[1]))
