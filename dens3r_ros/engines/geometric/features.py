# SPDX-License-Identifier: Apache-2.0
"""What matching needs of one image, computed once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from dens3r_ros.engines.geometric.keypoints import Keypoints, binary_keypoints, sift_keypoints
from dens3r_ros.engines.geometric.smoothing.edge_aware import EdgeAwareFilter

_CORNER_WINDOW = 7
_SHARP = 400
_SHARP_SHARE = 0.01
"""Of the strongest corner's strength, which corners must have that stand out."""
_SHARP_APART = 3
"""Pixels between them."""


@dataclass(frozen=True, eq=False)
class ImageFeatures:
    """An image as the matching reads it.

    grey        (H, W) uint8
    corners     (H, W) float32: how well each pixel can be told from its neighbours
    quick       keypoints that cost little
    smoothing   a filter that stops at this image's edges
    image       (H, W, 3) uint8 RGB
    halved      of an image with half the pixels along each side
    """

    grey: np.ndarray
    corners: np.ndarray
    quick: Keypoints
    smoothing: EdgeAwareFilter
    image: np.ndarray
    halved: bool = False

    @cached_property
    def half(self) -> ImageFeatures:
        """Those of the image with half the pixels along each side, for who is in a hurry."""
        height, width = ((side + 1) // 2 for side in self.grey.shape)
        small = cv2.resize(self.image, (width, height), interpolation=cv2.INTER_AREA)
        return replace(image_features(small), halved=True)

    @cached_property
    def sturdy(self) -> Keypoints:
        """Keypoints that are found again from farther away; ten times as dear, so made when
        first asked for."""
        return sift_keypoints(self.grey)

    @cached_property
    def sharp(self) -> np.ndarray:
        """(N, 2) float32 pixels of the corners that stand out most."""
        found = cv2.goodFeaturesToTrack(self.grey, _SHARP, _SHARP_SHARE, _SHARP_APART)
        return np.empty((0, 2), np.float32) if found is None else found[:, 0]


def image_features(image: np.ndarray) -> ImageFeatures:
    """Features of an (H, W, 3) uint8 RGB image."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    corners = cv2.cornerMinEigenVal(grey, _CORNER_WINDOW)
    return ImageFeatures(grey, corners, binary_keypoints(grey), EdgeAwareFilter.of(image), image)
