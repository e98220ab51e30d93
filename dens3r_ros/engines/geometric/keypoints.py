# SPDX-License-Identifier: Apache-2.0
"""Points of an image that can be found again in another: quick ones, and ones that stand more."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_BINARY = 500
_BINARY_LEVELS = 6
_BINARY_STEP = 1.2
_BINARY_CONTRAST = 7
_BINARY_PATCH = 31
_BINARY_RATIO = 0.85
_SIFT_SHARE = 0.7
_SIFT_SIDES = (256, 380)
_PIXELS_A_SIFT = 70
_OCTAVE_LAYERS = 2
_CONTRAST = 0.005
_SIFT_RATIO = 0.85**2


@dataclass(frozen=True, eq=False)
class Keypoints:
    """pixels (N, 2) float64 x, y; descriptors (N, D) float32 unit vectors.

    ratio: of squared distances to the likeliest and the second likeliest, below which a match is
    clear.
    """

    pixels: np.ndarray
    descriptors: np.ndarray
    ratio: float


def binary_keypoints(grey: np.ndarray) -> Keypoints:
    """ORB corners of an (H, W) uint8 image: quick, and enough while the view changes little."""
    detector = cv2.ORB.create(
        _BINARY,
        scaleFactor=_BINARY_STEP,
        nlevels=_BINARY_LEVELS,
        edgeThreshold=_BINARY_PATCH // 2 + 1,
        patchSize=_BINARY_PATCH,
        fastThreshold=_BINARY_CONTRAST,
    )
    found, descriptors = detector.detectAndCompute(grey, None)
    if not found:
        return Keypoints(np.empty((0, 2)), np.empty((0, 256), np.float32), _BINARY_RATIO)
    # As unit vectors, whose products are the quickest way to count differing bits.
    signs = np.unpackbits(np.asarray(descriptors, np.uint8), axis=1).astype(np.float32) * 2 - 1
    return Keypoints(
        np.array(cv2.KeyPoint.convert(found), np.float64),
        signs / np.float32(np.sqrt(signs.shape[1])),
        _BINARY_RATIO,
    )


def sift_keypoints(grey: np.ndarray) -> Keypoints:
    """SIFT on a reduced image: its first octave doubles it again, so that little is lost."""
    side = np.clip(_SIFT_SHARE * max(grey.shape), *_SIFT_SIDES)
    scale = min(1.0, side / max(grey.shape))
    reduced = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    detector = cv2.SIFT.create(
        reduced.size // _PIXELS_A_SIFT, nOctaveLayers=_OCTAVE_LAYERS, contrastThreshold=_CONTRAST
    )
    found, descriptors = detector.detectAndCompute(reduced, None)
    if not found:
        return Keypoints(np.empty((0, 2)), np.empty((0, 128), np.float32), _SIFT_RATIO)
    stretch = np.array(grey.shape[::-1]) / np.array(reduced.shape[::-1])
    pixels = (np.array(cv2.KeyPoint.convert(found), np.float64) + 0.5) * stretch - 0.5
    # Square roots of the histograms compare better than the histograms (Hellinger distance).
    total = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6)
    return Keypoints(pixels, np.sqrt(descriptors / total), _SIFT_RATIO)


def matched(a: Keypoints, b: Keypoints) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) pixels in a and in b of keypoints that are clearly each other's likeliest."""
    if len(a.pixels) < 2 or len(b.pixels) < 2:
        return np.empty((0, 2)), np.empty((0, 2))
    likeness = a.descriptors @ b.descriptors.T
    each, to_b = np.arange(len(likeness)), likeness.argmax(axis=1)
    best = likeness[each, to_b]
    mutual = likeness.max(axis=0)[to_b] == best
    likeness[each, to_b] = -1
    second = likeness.max(axis=1)
    # Of unit vectors: their squared distance is twice what their product lacks of one.
    sure = mutual & (1 - best < a.ratio * (1 - second))
    return a.pixels[sure], b.pixels[to_b[sure]]
