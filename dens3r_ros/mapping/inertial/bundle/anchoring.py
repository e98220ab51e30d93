# SPDX-License-Identifier: Apache-2.0
"""Points out of corners that were followed, each held to the patch in which it was first seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.inertial.bundle.watching import SeenCorners
from dens3r_ros.mapping.tracking.cameras import rays_at
from dens3r_ros.mapping.tracking.matching import inside

_LENGTH = 6
"""Images in which one point is looked for: what a patch shows changes with the view, and that error
goes on from image to image, so that long tracks would be believed too much."""
_FEWEST = 3
_PARALLAX = 0.02
"""Radians between two rays to a point from which on it is of use."""
_NEAREST = 0.05
"""Metres in front of the camera."""
_ASTRAY = 8.0
"""Pixels beside its place beyond which a corner has slipped."""
_LAYER = 1.35
"""Ratio of distances up to which patches are turned into another view by one plane."""
_WINDOW = (31, 31)
_STRAYS = 3.0
"""Pixels by which holding a corner to its patch may move it."""
_MARGIN = 5.0


@dataclass(frozen=True, eq=False)
class SeenPoint:
    """A point (3,) and where it was seen: which glimpses (n,), and pixels (n, 2) in them."""

    point: np.ndarray
    at: np.ndarray
    pixels: np.ndarray


def points_of(glimpses: Sequence[SeenCorners], poses: np.ndarray) -> list[SeenPoint]:
    """The points that tell something of the cameras' ways (N, 4, 4)."""
    found = [_placed(glimpses, poses, *track) for track in _tracks(glimpses)]
    known = [point for point in found if point is not None]
    return [point for point in _held(glimpses, poses, known) if len(point.at) >= _FEWEST]


def _tracks(glimpses: Sequence[SeenCorners]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pieces of tracks: which glimpses, and pixels; each begins where another ends."""
    at = np.repeat(np.arange(len(glimpses)), [len(glimpse.numbers) for glimpse in glimpses])
    numbers = np.concatenate([glimpse.numbers for glimpse in glimpses])
    pixels = np.concatenate([glimpse.pixels for glimpse in glimpses]).astype(np.float64)
    order = np.lexsort((at, numbers))
    at, numbers, pixels = at[order], numbers[order], pixels[order]
    pieces = []
    bounds = [*np.flatnonzero(np.diff(numbers, prepend=-1)).tolist(), len(numbers)]
    for begin, end in pairwise(bounds):
        # Not all begin anew in the same image.
        first, length = begin, _FEWEST + int(numbers[begin]) * 7 % _LENGTH
        while end - first >= _FEWEST:
            last = min(first + length, end)
            pieces.append((at[first:last], pixels[first:last]))
            first, length = last - 1, _LENGTH
    return pieces


def _placed(
    glimpses: Sequence[SeenCorners], poses: np.ndarray, at: np.ndarray, pixels: np.ndarray
) -> SeenPoint | None:
    """The point nearest to all rays; None where it is not known, or is not one point."""
    camera, T = glimpses[at[0]].camera, poses[at]
    rays = np.einsum("nij,nj->ni", T[:, :3, :3], rays_at(pixels, camera))
    if (rays @ rays.T).min() > np.cos(_PARALLAX):
        return None
    across = np.eye(3) - rays[:, :, None] * rays[:, None, :]
    point = np.linalg.solve(across.sum(0), np.einsum("nij,nj->i", across, T[:, :3, 3]))
    there = np.einsum("nji,nj->ni", T[:, :3, :3], point - T[:, :3, 3])
    if there[:, 2].min() < _NEAREST:
        return None
    off = _projected(there, camera) - pixels
    return SeenPoint(point, at, pixels) if np.abs(off).max() < _ASTRAY else None


def _projected(points: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """(n, 2) pixels of (n, 3) points in front of a camera."""
    return points[:, :2] / points[:, 2:] * (camera.fx, camera.fy) + (camera.cx, camera.cy)


def _held(
    glimpses: Sequence[SeenCorners], poses: np.ndarray, points: Sequence[SeenPoint]
) -> list[SeenPoint]:
    """The points, each sight of them moved to where it looks most like the first one; sights that
    do not are left out."""
    depths = [_distance(poses[one.at[0]], one.point) for one in points]
    groups: dict[tuple[int, int, int], list[tuple[int, int]]] = {}
    for number, one in enumerate(points):
        layer = int(np.floor(np.log(depths[number]) / np.log(_LAYER)))
        for sight, at in enumerate(one.at[1:].tolist(), 1):
            groups.setdefault((int(one.at[0]), at, layer), []).append((number, sight))
    pixels = [one.pixels.copy() for one in points]
    kept = [np.ones(len(one.at), bool) for one in points]
    for (first, at, _), sights in groups.items():
        T = np.linalg.inv(poses[at]) @ poses[first]
        depth = float(np.median([depths[number] for number, _ in sights]))
        begun = np.array([points[number].pixels[0] for number, _ in sights])
        now = np.array([points[number].pixels[sight] for number, sight in sights])
        moved, good = _realigned(glimpses[first], glimpses[at], T, depth, begun, now)
        for (number, sight), pixel, well in zip(sights, moved, good.tolist(), strict=True):
            pixels[number][sight], kept[number][sight] = pixel, well
    return [
        replace(one, at=one.at[keep], pixels=pixel[keep])
        for one, pixel, keep in zip(points, pixels, kept, strict=True)
    ]


def _distance(T: np.ndarray, point: np.ndarray) -> float:
    """Of a point along a camera's view."""
    return float(T[:3, 2] @ (point - T[:3, 3]))


def _realigned(
    first: SeenCorners,
    here: SeenCorners,
    T: np.ndarray,
    depth: float,
    begun: np.ndarray,
    now: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Where patches (n, 2) of the first glimpse lie in another, near `now`, and which (n,) were
    found; `T` takes points from the first camera to the other one."""
    H = T[:3, :3].copy()
    H[:, 2] += T[:3, 3] / depth
    H = here.camera.K @ H @ np.linalg.inv(first.camera.K)
    size = here.grey.shape[::-1]
    bent = cv2.warpPerspective(first.grey, H, size, borderMode=cv2.BORDER_REPLICATE)
    source = cv2.perspectiveTransform(begun[None], H)[0].astype(np.float32)
    there, status, _ = cv2.calcOpticalFlowPyrLK(
        bent,
        here.grey,
        source,
        now.astype(np.float32),
        winSize=_WINDOW,
        maxLevel=1,
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    good = status[:, 0].astype(bool) & inside(source, here.grey.shape, _MARGIN)
    return there.astype(np.float64), good & (np.abs(there - now).max(1) < _STRAYS)
