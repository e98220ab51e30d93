# SPDX-License-Identifier: Apache-2.0
"""How Depth Anything 3 and VGGT bring images to a size that they take, as they were trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from PIL import Image

DepthAnythingRule = Literal[
    "upper_bound_resize", "upper_bound_crop", "lower_bound_resize", "lower_bound_crop"
]
VggtRule = Literal["crop", "pad"]
PATCH = 14
DEPTH_ANYTHING_SIDE, VGGT_SIDE = 504, 518
_WHITE = 255


def fit_depth_anything(
    image: np.ndarray,
    intrinsics: np.ndarray | None = None,
    side: int = DEPTH_ANYTHING_SIDE,
    rule: DepthAnythingRule = "upper_bound_resize",
) -> tuple[np.ndarray, np.ndarray | None]:
    """An image (H, W, 3) uint8 and its pinhole matrix, as Depth Anything 3 takes them.

    The long side becomes `side` ("upper_bound"), or the short one ("lower_bound"); then both
    become multiples of 14, by resizing to the nearest ones or by cutting evenly.
    """
    height, width = image.shape[:2]
    bound = max(height, width) if rule.startswith("upper") else min(height, width)
    size = tuple(round(length * side / bound) for length in (height, width))
    image, intrinsics = _resized(image, intrinsics, (size[0], size[1]))
    if rule.endswith("resize"):
        nearest = tuple(max(math.floor(n / PATCH + 0.5), 1) * PATCH for n in size)
        return _resized(image, intrinsics, (nearest[0], nearest[1]))
    return _cut(image, intrinsics, (size[0] // PATCH * PATCH, size[1] // PATCH * PATCH))


def cut_to_smallest(
    images: Sequence[np.ndarray], intrinsics: Sequence[np.ndarray | None] | None = None
) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    """Images (and pinholes) cut evenly to the smallest height and width among them."""
    size = (min(len(image) for image in images), min(image.shape[1] for image in images))
    pinholes = intrinsics if intrinsics is not None else [None] * len(images)
    fitted = [_cut(image, k, size) for image, k in zip(images, pinholes, strict=True)]
    return [image for image, _ in fitted], [k for _, k in fitted]


def fit_vggt(image: np.ndarray, side: int = VGGT_SIDE, rule: VggtRule = "crop") -> np.ndarray:
    """An image (H, W, 3) uint8 as VGGT takes it.

    "crop": as wide as `side`, and no higher, cut evenly. "pad": the long side becomes `side`, the
    rest of a square is white.
    """
    height, width = image.shape[:2]
    if rule == "crop" or width >= height:
        size = (side, round(height * side / width / PATCH) * PATCH)
    else:
        size = (round(width * side / height / PATCH) * PATCH, side)
    resized = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    if rule == "crop":
        top = max(len(resized) - side, 0) // 2
        return resized[top : top + side]
    top, left = (side - resized.shape[0]) // 2, (side - resized.shape[1]) // 2
    square = np.full((side, side, 3), _WHITE, np.uint8)
    square[top : top + resized.shape[0], left : left + resized.shape[1]] = resized
    return square


def _resized(
    image: np.ndarray, intrinsics: np.ndarray | None, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None]:
    height, width = image.shape[:2]
    if (height, width) == size:
        return image, intrinsics
    grows = size[0] > height or size[1] > width
    how = cv2.INTER_CUBIC if grows else cv2.INTER_AREA
    resized = cv2.resize(image, (size[1], size[0]), interpolation=how)
    if intrinsics is None:
        return resized, None
    factors = np.array([[size[1] / width], [size[0] / height], [1.0]])
    return resized, (intrinsics * factors).astype(intrinsics.dtype)


def _cut(
    image: np.ndarray, intrinsics: np.ndarray | None, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None]:
    top, left = (image.shape[0] - size[0]) // 2, (image.shape[1] - size[1]) // 2
    part = image[top : top + size[0], left : left + size[1]]
    if intrinsics is None:
        return part, None
    moved = intrinsics.copy()
    moved[0, 2] -= left
    moved[1, 2] -= top
    return part, moved
