# SPDX-License-Identifier: Apache-2.0
"""Pairs looked at with half the pixels along each side, in a third of the time; maps are of the
whole image all the same."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from dens3r_ros.engines.geometric.pair import PairMaps
from dens3r_ros.engines.protocol import Features, Lead, Placement

_LEAST_SIDE = 300
"""Pixels of an image's shorter side from which on half of them suffice; with fewer a map bends."""
_JUMP = 1.1
"""Ratio of depths of neighbouring pixels beyond which nothing lies between them."""


def large_enough(features: Features) -> bool:
    """Whether an image may be looked at with fewer pixels."""
    return min(features.placement.size) >= _LEAST_SIDE


def halved(features: Features) -> Features:
    """The same image with half the pixels along each side."""
    height, width = size = _half(features.placement.size)
    factors = width / features.placement.size[1], height / features.placement.size[0]
    known, moving, lead = features.intrinsics, features.moving, features.lead
    return replace(
        features,
        placement=Placement(features.placement.original, size, 0, 0, size),
        intrinsics=None if known is None else known.resized(width, height),
        data=features.data.half,
        moving=None if moving is None else cv2.resize(moving, (width, height)),
        lead=None if lead is None else _smaller(lead, factors),
    )


def enlarged(maps: PairMaps, size_a: tuple[int, int], size_b: tuple[int, int]) -> PairMaps:
    """The maps of halved images as those of the whole ones, (height, width) of each."""
    small_a = maps.pixels_confidence.shape if maps.points_a is None else maps.points_a.shape[:2]
    factor = np.array([size_a[1] / small_a[1], size_a[0] / small_a[0]], np.float32)
    points_a, confidence_a = _surface(maps.points_a, maps.confidence_a, size_a)
    points_b, confidence_b = _surface(maps.points_b, maps.confidence_b, size_b)
    landed = (maps.pixels_b_in_a + np.float32(0.5)) * factor - np.float32(0.5)
    sure = 1 + (maps.pixels_confidence - 1) / float(factor.max()) ** 2
    return PairMaps(
        points_a,
        points_b,
        confidence_a,
        confidence_b,
        _unit(_large(maps.normals_a, size_a)),
        _unit(_large(maps.normals_b, size_b)),
        cv2.resize(landed, size_b[::-1]),
        cv2.resize(sure.astype(np.float32), size_b[::-1]),
    )


def _half(size: tuple[int, int]) -> tuple[int, int]:
    return (size[0] + 1) // 2, (size[1] + 1) // 2


def _smaller(lead: Lead, factors: tuple[float, float]) -> Lead:
    there, here = ((pixels + 0.5) * factors - 0.5 for pixels in (lead.there, lead.here))
    return replace(lead, there=there, here=here)


def _surface(
    points: np.ndarray | None, confidence: np.ndarray | None, size: tuple[int, int]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Points between those of a surface; where it ends, nothing is known."""
    if points is None or confidence is None:
        return points, confidence
    distance = np.linalg.norm(points, axis=2)
    around = np.ones((3, 3), np.uint8)
    ends = cv2.dilate(distance, around) > _JUMP * cv2.erode(distance, around)
    kept = np.where(ends, np.float32(1), confidence)
    return _large(points, size), _large(kept, size)


def _large(values: np.ndarray | None, size: tuple[int, int]) -> np.ndarray | None:
    return None if values is None else cv2.resize(values, size[::-1])


def _unit(normals: np.ndarray | None) -> np.ndarray | None:
    if normals is None:
        return None
    return normals / np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), np.float32(1e-6))
