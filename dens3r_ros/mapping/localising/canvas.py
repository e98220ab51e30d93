# SPDX-License-Identifier: Apache-2.0
"""An image of any shape on a canvas of another, since engines match images of one shape."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics

_USUAL = 0.85
"""Focal length, in longer sides of the image, where nothing tells it."""


def guessed_lens(size: tuple[int, int]) -> Intrinsics:
    """A usual lens of an image of (height, width) pixels."""
    height, width = size
    focal = _USUAL * max(size)
    return Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)


def fitted(frame: Frame, size: tuple[int, int], lens: Intrinsics) -> Frame:
    """The whole image, as large as fits, in the middle of a black one of (height, width), with its
    lens there."""
    (height, width), (rows, columns) = size, frame.size
    if (height, width) == (rows, columns):
        return replace(frame, intrinsics=lens)
    scale = min(height / rows, width / columns)
    wide, high = max(round(columns * scale), 1), max(round(rows * scale), 1)
    left, top = (width - wide) // 2, (height - high) // 2
    image = np.zeros((height, width, 3), np.uint8)
    smaller = cv2.resize(frame.image, (wide, high), interpolation=cv2.INTER_AREA)
    image[top : top + high, left : left + wide] = smaller
    x, y = wide / columns, high / rows
    # Centres of pixels are whole numbers.
    cx, cy = (lens.cx + 0.5) * x - 0.5 + left, (lens.cy + 0.5) * y - 0.5 + top
    moved = Intrinsics(lens.fx * x, lens.fy * y, cx, cy, width, height)
    return replace(frame, image=image, intrinsics=moved)
