# SPDX-License-Identifier: Apache-2.0
"""Two images of different shapes on canvases of one, since flow compares images of one shape."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from dens3r_ros.engines.geometric.features import ImageFeatures, image_features
from dens3r_ros.engines.geometric.pair import PairMaps, pair_maps
from dens3r_ros.engines.protocol import Features, Outputs
from dens3r_ros.geometry.two_views.two_view import Cameras

_LIKE_A = ("points_a", "confidence_a", "normals_a")


def pair_of_shapes(a: Features, b: Features, cameras: Cameras | None, outputs: Outputs) -> PairMaps:
    """Maps of two images of any shapes, each of its own image's."""
    sizes = a.placement.size, b.placement.size
    if sizes[0] == sizes[1]:
        return pair_maps(a.data, b.data, cameras, outputs)
    canvas = max(sizes[0][0], sizes[1][0]), max(sizes[0][1], sizes[1][1])
    found = pair_maps(_grown(a, canvas), _grown(b, canvas), cameras, outputs)
    maps = {}
    for name, value in vars(found).items():
        rows, columns = sizes[0] if name in _LIKE_A else sizes[1]
        maps[name] = None if value is None else np.ascontiguousarray(value[:rows, :columns])
    x, y = maps["pixels_b_in_a"][..., 0], maps["pixels_b_in_a"][..., 1]
    there = (x < sizes[0][1] - 0.5) & (y < sizes[0][0] - 0.5)
    maps["pixels_confidence"] = np.where(there, maps["pixels_confidence"], np.float32(1))
    return replace(found, **maps)


def _grown(features: Features, canvas: tuple[int, int]) -> ImageFeatures:
    """Features of the image with its last row and column repeated."""
    rows, columns = features.placement.size
    image = features.frame.image
    if image.shape[:2] != (rows, columns):
        image = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    below, right = canvas[0] - rows, canvas[1] - columns
    return image_features(cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE))
