# SPDX-License-Identifier: Apache-2.0
"""What matching needs of one image, computed once."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.engines.geometric.edge_aware import EdgeAwareFilter

_KEYPOINT_SHARE = 0.7
_KEYPOINT_SIDES = (256, 380)
_KEYPOINTS = 2000
_OCTAVE_LAYERS = 2
_CONTRAST = 0.005
_CORNER_WINDOW = 7
_RATIO = 0.85


@dataclass(frozen=True, eq=False)
class ImageFeatures:
    """An image as the matching reads it.

    grey        (H, W) uint8
    corners     (H, W) float32: how well each pixel can be told from its neighbours
    keypoints   (N, 2) float64 pixels x, y;  descriptors  (N, 128) float32 unit vectors
    smoothing   a filter that stops at this image's edges
    """

    grey: np.ndarray
    corners: np.ndarray
    keypoints: np.ndarray
    descriptors: np.ndarray
    smoothing: EdgeAwareFilter


def image_features(image: np.ndarray) -> ImageFeatures:
    """Features of an (H, W, 3) uint8 RGB image."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    corners = cv2.cornerMinEigenVal(grey, _CORNER_WINDOW)
    return ImageFeatures(grey, corners, *_keypoints(grey), EdgeAwareFilter.of(image))


def matched_keypoints(a: ImageFeatures, b: ImageFeatures) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) pixels in a and in b of keypoints that are clearly each other's likeliest."""
    if len(a.keypoints) < 2 or len(b.keypoints) < 2:
        return np.empty((0, 2)), np.empty((0, 2))
    distance = 2 - 2 * a.descriptors @ b.descriptors.T
    each, to_b = np.arange(len(distance)), distance.argmin(axis=1)
    nearest = distance[each, to_b]
    mutual = distance.min(axis=0)[to_b] == nearest
    distance[each, to_b] = np.inf
    second = distance.min(axis=1)
    sure = mutual & (nearest < _RATIO**2 * second)
    return a.keypoints[sure], b.keypoints[to_b[sure]]


def _keypoints(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """SIFT on a reduced image: its first octave doubles it again, so that little is lost."""
    side = np.clip(_KEYPOINT_SHARE * max(grey.shape), *_KEYPOINT_SIDES)
    scale = min(1.0, side / max(grey.shape))
    reduced = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    detector = cv2.SIFT.create(
        _KEYPOINTS, nOctaveLayers=_OCTAVE_LAYERS, contrastThreshold=_CONTRAST
    )
    found, descriptors = detector.detectAndCompute(reduced, None)
    if not found:
        return np.empty((0, 2)), np.empty((0, 128), np.float32)
    stretch = np.array(grey.shape[::-1]) / np.array(reduced.shape[::-1])
    pixels = (np.array(cv2.KeyPoint.convert(found), np.float64) + 0.5) * stretch - 0.5
    # Square roots of the histograms compare better than the histograms (Hellinger distance).
    total = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6)
    return pixels, np.sqrt(descriptors / total)
