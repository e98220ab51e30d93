# SPDX-License-Identifier: Apache-2.0
"""Two images of different shapes on canvases of one, since flow compares images of one shape."""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.engines.geometric.correspondence import Expected
from dens3r_ros.engines.geometric.features import ImageFeatures, image_features
from dens3r_ros.engines.geometric.moving import grown, moving_of, near_pose
from dens3r_ros.engines.geometric.pair import PairMaps, pair_maps
from dens3r_ros.engines.protocol import Features, Outputs
from dens3r_ros.geometry.two_views.two_view import Cameras, Pose

_MAPS = ("points_a", "points_b", "confidence_a", "confidence_b", "normals_a", "normals_b")


def pair_of_shapes(a: Features, b: Features, cameras: Cameras | None, outputs: Outputs) -> PairMaps:
    """Maps of two images of any shapes, each of its own image's."""
    sizes = a.placement.size, b.placement.size
    if sizes[0] == sizes[1]:
        return pair_maps(a.data, b.data, cameras, outputs, moving_of(a, b), *_expected(a, b))
    canvas = max(sizes[0][0], sizes[1][0]), max(sizes[0][1], sizes[1][1])
    moving = grown(moving_of(a, b), canvas)
    images = _grown(a, canvas), _grown(b, canvas)
    found = pair_maps(*images, cameras, outputs, moving, *_expected(a, b))
    cut = {name: _cut(found, name, sizes) for name in _MAPS}
    (height, width), landed = sizes[0], found.pixels_b_in_a[: sizes[1][0], : sizes[1][1]]
    there = (landed[..., 0] < width - 0.5) & (landed[..., 1] < height - 0.5)
    sure = found.pixels_confidence[: sizes[1][0], : sizes[1][1]]
    return PairMaps(
        pixels_b_in_a=np.ascontiguousarray(landed),
        pixels_confidence=np.where(there, sure, np.float32(1)),
        **cut,
    )


def _expected(a: Features, b: Features) -> tuple[Expected | None, Pose | None]:
    """Of a pair, where it is this one of which somebody expects something: what corresponds, and
    the pose of a in b."""
    lead = a.lead
    if lead is None or lead.other is not b.frame:
        return None, None
    return (lead.here, lead.there), near_pose(lead.T_there_here)


def _cut(found: PairMaps, name: str, sizes: tuple[tuple[int, int], ...]) -> np.ndarray | None:
    """A map without what was added to its image."""
    rows, columns = sizes[0] if name.endswith("_a") else sizes[1]
    whole = getattr(found, name)
    return None if whole is None else np.ascontiguousarray(whole[:rows, :columns])


def _grown(features: Features, canvas: tuple[int, int]) -> ImageFeatures:
    """Features of the image with its last row and column repeated."""
    rows, columns = features.placement.size
    image = features.frame.image
    if image.shape[:2] != (rows, columns):
        image = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    below, right = canvas[0] - rows, canvas[1] - columns
    return image_features(cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE))
