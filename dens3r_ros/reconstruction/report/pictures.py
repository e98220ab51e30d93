# SPDX-License-Identifier: Apache-2.0
"""Pictures of a cloud and a trajectory, drawn point by point."""

from __future__ import annotations

import cv2
import numpy as np

BACKGROUND, TRACK = (16, 20, 26), (255, 141, 61)
_SIZE = (720, 960)
_CEILING = 0.2
"""Share of the map's height above the highest camera from where on it is cut away from above."""
ABOVE = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
"""Takes the world's axes, z up, to right, up and towards us."""


def from_the_side() -> np.ndarray:
    """The same for a look from the side and a little from above."""
    turn, tilt = np.deg2rad(35), np.deg2rad(45)
    spin = np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    lean = np.array([[1, 0, 0], [0, np.sin(tilt), np.cos(tilt)], [0, -np.cos(tilt), np.sin(tilt)]])
    return lean @ spin


def draw(points: np.ndarray, colours: np.ndarray, track: np.ndarray, R: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB: points (N, 3) with colours (N, 3), the nearest in front, and the track
    (M, 3); R takes the world's axes to right, up and towards us."""
    height, width = _SIZE
    picture = np.full((height, width, 3), BACKGROUND, np.uint8)
    points, colours = _without_ceiling(points, colours, track)
    seen, path = points @ R.T, track @ R.T
    both = np.concatenate((seen, path)) if len(seen) else path
    if not len(both):
        return picture
    low, high = np.percentile(both[:, :2], [1, 99], axis=0)
    scale = 0.9 / max(*((high - low) / (width, height)), 1e-9)
    middle = (low + high) / 2

    def pixels(some: np.ndarray) -> np.ndarray:
        flat = (some[:, :2] - middle) * scale
        return np.rint(np.stack((width / 2 + flat[:, 0], height / 2 - flat[:, 1]), 1)).astype(int)

    _splat(picture, pixels(seen), seen[:, 2], colours)
    line = pixels(path).reshape(-1, 1, 2).astype(np.int32)
    cv2.polylines(picture, [line], False, TRACK, 2, cv2.LINE_AA)
    return picture


def _splat(
    picture: np.ndarray, pixels: np.ndarray, nearness: np.ndarray, colours: np.ndarray
) -> None:
    """Squares of three pixels, far ones first."""
    order = np.argsort(nearness, kind="stable")
    height, width = picture.shape[:2]
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            x, y = (pixels[order] + (right, down)).T
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            picture[y[inside], x[inside]] = colours[order][inside]


def _without_ceiling(
    points: np.ndarray, colours: np.ndarray, track: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A ceiling would hide all that is below."""
    if not len(points) or not len(track):
        return points, colours
    low, high = np.percentile(points[:, 2], [1, 99])
    inside = points[:, 2] < track[:, 2].max() + _CEILING * (high - low)
    return points[inside], colours[inside]


def depth_colours(depth: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB: near is bright, unknown black."""
    known = depth > 0
    shades = np.zeros(depth.shape, np.uint8)
    if known.any():
        near, far = np.percentile(depth[known], [2, 98])
        place = (1 / np.where(known, depth, 1) - 1 / far) / max(1 / near - 1 / far, 1e-12)
        shades = np.rint(255 * place.clip(0, 1)).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(shades, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    return np.where(known[..., None], colours, 0).astype(np.uint8)
