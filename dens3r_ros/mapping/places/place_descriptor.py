# SPDX-License-Identifier: Apache-2.0
"""What a place looks like, in a few kilobytes: the whole view's gradients, and its corners.

The view is described as a VLAD of dense gradient histograms, which withstands changes of
viewpoint where there is little texture; the corners as ORB descriptors sorted into words,
which tell look-alike places apart. Words and projections come from
`dens3r_ros.training.data.place_words`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from dens3r_ros.resources import resource_dir

FILE_NAME = "places.npz"
LONG_SIDE = 320
CORNERS = 250
ORIENTATIONS = 8
CELLS_ACROSS = 4
_FINE = 2
"""Shrinking before gradients are taken."""
_CELLS = (10, 16)
"""Pixels of a histogram's cells: two sizes of what is described."""
_SMALLEST = 40
"""Pixels of an image's shorter side that are described at least; smaller ones are enlarged."""
_FLAT = 4.0
"""Length of a histogram below which there is nothing to describe."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """What descriptors are expressed in.

    mean (128,), projection (128, P) of gradient histograms; centres (K, P) they are compared
    with; middle (K P,) of all views. words (W, 256) +-1 of binary corners, W at most 256.
    """

    mean: np.ndarray
    projection: np.ndarray
    centres: np.ndarray
    middle: np.ndarray
    words: np.ndarray

    def save(self, path: Path) -> None:
        """Write it, small."""
        np.savez_compressed(
            path,
            mean=self.mean.astype(np.float32),
            projection=self.projection.astype(np.float32),
            centres=self.centres.astype(np.float32),
            middle=self.middle.astype(np.float32),
            words=np.packbits(self.words > 0, axis=1),
        )


@lru_cache(maxsize=1)
def shipped_vocabulary() -> Vocabulary:
    """The one that is installed with the package."""
    with np.load(resource_dir("models") / FILE_NAME) as stored:
        return Vocabulary(
            stored["mean"],
            stored["projection"],
            stored["centres"],
            stored["middle"],
            signs(stored["words"]),
        )


@dataclass(frozen=True, eq=False)
class PlaceDescriptor:
    """view (K P,) float32 unit vector; words (N,) uint8, ascending; corners (N, 4) uint64."""

    view: np.ndarray
    words: np.ndarray
    corners: np.ndarray


def describe(image: np.ndarray, vocabulary: Vocabulary) -> PlaceDescriptor:
    """Describe an (H, W, 3) uint8 RGB image of any size."""
    grey = small_grey(image)
    corners = binary_corners(grey)
    words = (signs(corners) @ vocabulary.words.T).argmax(1).astype(np.uint8)
    order = np.argsort(words, kind="stable")
    packed = np.ascontiguousarray(corners[order]).view(np.uint64)
    return PlaceDescriptor(view_vector(grey, vocabulary), words[order], packed)


def small_grey(image: np.ndarray) -> np.ndarray:
    """(h, w) uint8, at most `LONG_SIDE` long unless its other side were too short then."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if min(grey.shape) * min(1.0, LONG_SIDE / max(grey.shape)) < _SMALLEST:
        grown = [max(side, _SMALLEST) for side in grey.shape]
        return cv2.resize(grey, (min(grown[1], LONG_SIDE), min(grown[0], LONG_SIDE)))
    shrink = LONG_SIDE / max(grey.shape)
    if shrink >= 1:
        return grey
    size = (max(round(grey.shape[1] * shrink), 1), max(round(grey.shape[0] * shrink), 1))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def binary_corners(grey: np.ndarray) -> np.ndarray:
    """(N, 32) uint8 ORB descriptors of the strongest corners, however weak they are."""
    detector = cv2.ORB_create(CORNERS, 1.2, 6, edgeThreshold=15, fastThreshold=8)  # type: ignore[attr-defined]
    _, corners = detector.detectAndCompute(grey, None)
    return np.zeros((0, 32), np.uint8) if corners is None else corners


def signs(corners: np.ndarray) -> np.ndarray:
    """(N, 256) float32 +-1 of (N, 32) packed bits."""
    return np.unpackbits(corners, axis=1).astype(np.float32) * 2 - 1


def view_vector(grey: np.ndarray, vocabulary: Vocabulary, centred: bool = True) -> np.ndarray:
    """(K P,) float32 unit vector: how histograms differ from their nearest centres, summed."""
    centres = vocabulary.centres
    projected = projected_histograms(grey, vocabulary.mean, vocabulary.projection)
    nearest = (projected @ centres.T - (centres**2).sum(1) / 2).argmax(1)
    member = np.zeros((len(centres), len(projected)), np.float32)
    member[nearest, np.arange(len(projected))] = 1
    summed = member @ projected - member.sum(1, keepdims=True) * centres
    summed = unit_rows(np.sign(summed) * np.sqrt(np.abs(summed)))
    vector = unit_rows(summed.reshape(1, -1))
    return (unit_rows(vector - vocabulary.middle) if centred else vector)[0]


def projected_histograms(grey: np.ndarray, mean: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """(N, P) unit vectors of an image's gradient histograms."""
    return unit_rows((gradient_histograms(grey) - mean) @ projection)


def gradient_histograms(grey: np.ndarray) -> np.ndarray:
    """(N, 128) float32 root-normalised histograms on a dense grid, flat ones left out."""
    fine = _fine_histograms(grey)
    found = [_grid_of(fine, cell // _FINE) / cell**2 for cell in _CELLS]
    histograms = np.concatenate(found)
    lengths = np.linalg.norm(histograms, axis=1, keepdims=True)
    good = lengths[:, 0] > _FLAT
    clipped = np.minimum(histograms[good] / lengths[good], 0.2)
    return np.sqrt(clipped / clipped.sum(1, keepdims=True))


def _fine_histograms(grey: np.ndarray) -> np.ndarray:
    """(h / 2, w / 2, 8) gradient per orientation, at half the size."""
    size = (grey.shape[1] // _FINE, grey.shape[0] // _FINE)
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    right, down = cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)
    strength, angle = cv2.cartToPolar(right, down)
    angle *= ORIENTATIONS / (2 * np.pi)
    below = angle.astype(np.int32)
    share = angle - below
    fine = np.zeros((small.size, ORIENTATIONS), np.float32)
    pixel = np.arange(small.size)
    for offset, weight in ((0, strength * (1 - share)), (1, strength * share)):
        fine[pixel, ((below + offset) % ORIENTATIONS).ravel()] += weight.ravel()
    return fine.reshape(*small.shape, ORIENTATIONS)


def _grid_of(fine: np.ndarray, block: int) -> np.ndarray:
    """(N, 128) histograms of 4x4 cells of `block` fine pixels, every second cell."""
    rows, columns = fine.shape[0] // block, fine.shape[1] // block
    if min(rows, columns) < CELLS_ACROSS:
        return np.zeros((0, CELLS_ACROSS**2 * ORIENTATIONS), np.float32)
    whole = fine[: rows * block, : columns * block]
    cells = whole.reshape(rows, block, columns, block, ORIENTATIONS).sum((1, 3))
    shape = (CELLS_ACROSS, CELLS_ACROSS)
    windows = np.lib.stride_tricks.sliding_window_view(cells, shape, axis=(0, 1))
    return windows[::2, ::2].reshape(-1, CELLS_ACROSS**2 * ORIENTATIONS)


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1; rows of zeros stay."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
