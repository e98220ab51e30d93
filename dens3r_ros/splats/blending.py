# SPDX-License-Identifier: Apache-2.0
"""One surface out of several views' depths: drawn once where they agree, not once for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.splats.discs import known_depth
from dens3r_ros.splats.view import PhotoView

_NEAREST = 12
"""Other views that each is compared with."""
_SAME = 0.04
"""Relative difference of depths up to which two views see one surface."""
_REFUTED = 2
"""Views that see through a point, and more than agree with it, from which on it is left out."""
_REMEMBERED = 32
"""Views made ready that are kept for the next ones."""
_AROUND = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, eq=False)
class _Known:
    """A view's inverse depth (H, W), 0 where unknown or moving; the largest around each pixel; and
    the weight of each."""

    inverse: np.ndarray
    nearest: np.ndarray
    weight: np.ndarray


def blended(views: Sequence[PhotoView]) -> Iterator[PhotoView]:
    """The views, each with its depth averaged with what others see of the same surface, by
    confidence, and without what several of them see through."""

    @lru_cache(_REMEMBERED)
    def known(number: int) -> _Known:
        return _known(views[number])

    for number, view in enumerate(views):
        others = [(views[n], known(n)) for n in _near(views, number)]
        yield _blended(view, known(number), others)


def _known(view: PhotoView) -> _Known:
    depth = known_depth(view)
    if view.moving is not None:
        depth = np.where(view.moving, np.float32(0), depth)
    inverse = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 0)
    sure = np.ones_like(depth) if view.confidence is None else view.confidence - 1
    weight = np.where(depth > 0, sure.clip(1e-3), 0).astype(np.float32)
    return _Known(inverse, cv2.dilate(inverse, _AROUND), weight)


def _near(views: Sequence[PhotoView], number: int) -> list[int]:
    """Those that stand nearest and look the same way."""
    poses = np.array([view.T_world_camera for view in views])
    far = np.linalg.norm(poses[:, :3, 3] - poses[number, :3, 3], axis=1)
    far[poses[:, :3, 2] @ poses[number, :3, 2] < 0.5] = np.inf
    far[number] = np.inf
    order = np.argsort(far, kind="stable")[:_NEAREST]
    return [n for n in order.tolist() if np.isfinite(far[n])]


def _blended(view: PhotoView, own: _Known, others: Sequence[tuple[PhotoView, _Known]]) -> PhotoView:
    depth = np.divide(1, own.inverse, out=np.zeros_like(own.inverse), where=own.inverse > 0)
    points = pixel_rays(view.camera).numpy() * depth[..., None]
    total, ratio = own.weight.copy(), own.weight.copy()
    agree, through = np.zeros(depth.shape, np.int16), np.zeros(depth.shape, np.int16)
    for other, seen in others:
        there, around, weight = _seen_by(points, depth > 0, view, other, seen)
        same = (np.abs(there - 1) < _SAME) & (weight > 0)
        agree += same
        through += (weight > 0) & (around > 1 + _SAME)
        ratio += np.where(same, weight * there, 0)
        total += np.where(same, weight, 0)
    refuted = (through >= _REFUTED) & (through > agree)
    mixed = depth * ratio / np.where(total > 0, total, 1)
    return replace(view, depth=np.where(refuted, np.float32(0), mixed).astype(np.float32))


def _seen_by(
    points: np.ndarray, known: np.ndarray, view: PhotoView, other: PhotoView, seen: _Known
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(H, W) of a view's points: another's depth there, and the nearest around that, both relative
    to the point's own, and that depth's weight, 0 where it is not known."""
    T = (np.linalg.inv(other.T_world_camera) @ view.T_world_camera)[:3].astype(np.float32)
    x, y, z = cv2.split(cv2.transform(points, T))
    ahead = known & (z > 1e-6)
    z = np.where(ahead, z, np.float32(1))
    camera = other.camera
    at = (
        np.where(ahead, x / z * np.float32(camera.fx) + np.float32(camera.cx), np.float32(-9)),
        np.where(ahead, y / z * np.float32(camera.fy) + np.float32(camera.cy), np.float32(-9)),
    )
    # Inverse depth is linear on planes; where it is not, beside edges, the nearest pixel's counts.
    linear, plain, nearest, weight = (
        cv2.remap(image, *at, method, borderMode=cv2.BORDER_CONSTANT)
        for image, method in (
            (seen.inverse, cv2.INTER_LINEAR),
            (seen.inverse, cv2.INTER_NEAREST),
            (seen.nearest, cv2.INTER_NEAREST),
            (seen.weight, cv2.INTER_NEAREST),
        )
    )
    smooth = np.abs(linear - plain) < _SAME * plain
    inverse = np.where(smooth, linear, plain)
    good = (inverse > 0) & ahead
    there = np.divide(1, inverse * z, out=np.ones_like(z), where=good)
    around = np.divide(1, nearest * z, out=np.ones_like(z), where=good & (nearest > 0))
    return there, around, np.where(good, weight, np.float32(0))
