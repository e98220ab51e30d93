# SPDX-License-Identifier: Apache-2.0
"""What the network sees in one image, on the pixels that are matched; made when first needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from dens3r_ros.engines.geometric.features import ImageFeatures
from dens3r_ros.engines.monocular import MonocularPrediction
from dens3r_ros.engines.preprocess import upright
from dens3r_ros.engines.protocol import Placement
from dens3r_ros.geometry.camera import Intrinsics

_OUTSIDE = 0.5
"""Pixels beyond the network's outermost ones that it is still taken to have seen."""

_LEAST_ERROR = np.float32(0.005)
"""Relative error that no network is believed to fall below."""


@dataclass(frozen=True, eq=False)
class Alone:
    """inverse (H, W) float32 inverse depth in the network's unit, above 0; error (H, W) float32
    expected relative error of it, infinite where nothing is known; normals (H, W, 3) or None;
    camera of these pixels, where the network tells one."""

    inverse: np.ndarray
    error: np.ndarray
    normals: np.ndarray | None
    camera: Intrinsics | None


@dataclass(frozen=True, eq=False)
class Encoded:
    """An image's features for matching, and, once somebody asks, what the network sees in it."""

    image: ImageFeatures
    look: Callable[[], Alone]

    @cached_property
    def alone(self) -> Alone:
        """What the network sees; it runs when this is first read."""
        return self.look()


def on_pixels(seen: MonocularPrediction, placement: Placement) -> Alone:
    """The prediction on the pixels of another placement of the same image."""
    x, y = _sources(seen.placement, placement)
    known = np.isfinite(seen.relative_error) & (seen.depth > 0)
    inverse = np.where(known, 1 / np.where(known, seen.depth, 1), 0).astype(np.float32)
    if not known.any():
        size = placement.size
        return Alone(np.ones(size, np.float32), np.full(size, np.inf, np.float32), None, None)
    inverse = np.where(known, inverse, np.float32(np.median(inverse[known])))
    error = np.where(known, seen.relative_error, np.float32(np.inf))
    height, width = seen.depth.shape
    inside = (x > -1 + _OUTSIDE) & (y > -1 + _OUTSIDE)
    inside &= (x < width - _OUTSIDE) & (y < height - _OUTSIDE)
    there = _remap(error, x, y, cv2.INTER_NEAREST)
    return Alone(
        _remap(inverse, x, y, cv2.INTER_LINEAR),
        np.where(inside, np.maximum(there, _LEAST_ERROR), np.float32(np.inf)),
        None if seen.normals is None else _unit(_remap(seen.normals, x, y, cv2.INTER_LINEAR)),
        None if seen.intrinsics is None else _moved(seen.intrinsics, seen.placement, placement),
    )


def _sources(source: Placement, target: Placement) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) float32 x and y in the source of every pixel of the target."""
    source = upright(source)
    along = []
    for axis, old, new in ((1, source.left, target.left), (0, source.top, target.top)):
        whole = (np.arange(target.size[axis]) + new + 0.5) / target.resized[axis]
        along.append((whole * source.resized[axis] - old - 0.5).astype(np.float32))
    x, y = np.meshgrid(*along)
    return x, y


def _moved(camera: Intrinsics, source: Placement, target: Placement) -> Intrinsics:
    source = upright(source)
    height, width = source.resized
    whole = Intrinsics(
        camera.fx, camera.fy, camera.cx + source.left, camera.cy + source.top, width, height
    ).resized(target.resized[1], target.resized[0])
    return whole.cropped(target.left, target.top, target.size[1], target.size[0])


def _remap(values: np.ndarray, x: np.ndarray, y: np.ndarray, method: int) -> np.ndarray:
    values = np.ascontiguousarray(values, np.float32)
    return cv2.remap(values, x, y, method, borderMode=cv2.BORDER_REPLICATE)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.sqrt((vectors * vectors).sum(-1, keepdims=True))
    return vectors / np.maximum(length, np.float32(1e-12))
