# SPDX-License-Identifier: Apache-2.0
"""Textured points of a keyframe, and where they lie in another image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.matching import inside, project

_MARGIN = 4.0
"""Pixels from the border within which nothing can be followed."""
_BENT = 1.0
"""Pixels by which a patch may be bent between two views before it is bent back."""
_PATCH = 8.0
"""Half the side of a patch in pixels."""
_HOME = 0.7
"""Pixels from its start within which a point must come back."""


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Points worth following in one image, as they were known at one moment.

    grey (h, w) uint8; pixels (N, 2) float32 in it; points (N, 3) float64 in its optical frame, in
    its keyframe's unit; numbers (N,) int by which the keyframe knows them; depth: a usual one.
    """

    keyframe_id: int
    grey: np.ndarray
    camera: Intrinsics
    pixels: np.ndarray
    points: np.ndarray
    numbers: np.ndarray
    depth: float

    def __len__(self) -> int:
        return len(self.pixels)

    def emptied(self, grey: np.ndarray) -> Landmarks:
        """None at all, in another image of the same camera."""
        none = {name: getattr(self, name)[:0] for name in ("pixels", "points", "numbers")}
        return replace(self, grey=grey, **none)

    @staticmethod
    def of(keyframe: Keyframe, min_confidence: float) -> Landmarks:
        """Those of a keyframe whose points are known."""
        canonical, pixels = keyframe.canonical, keyframe.texture.pixels
        x, y = pixels.astype(int).T
        known = canonical.weight[y, x] > min_confidence - 1
        known &= canonical.points[y, x, 2] > 1e-6
        x, y = x[known], y[known]
        return Landmarks(
            keyframe.id,
            keyframe.texture.grey,
            keyframe.camera,
            pixels[known],
            canonical.points[y, x].astype(np.float64),
            np.flatnonzero(known),
            canonical.median_depth,
        )


@dataclass(frozen=True, eq=False)
class Followed:
    """Which of the landmarks were found (M,), their pixels (M, 2) float64 in the image, and where
    their points were expected, likewise; seen: how many were looked for."""

    which: np.ndarray
    pixels: np.ndarray
    expected: np.ndarray
    seen: int


@dataclass(frozen=True)
class Search:
    """How to look: levels of the pyramid above the finest; strays: pixels from where a point is
    expected up to which it is believed; home: whether it must come back when followed home; most:
    points that are looked for, evenly chosen."""

    levels: int
    strays: float
    home: bool
    most: int = 10_000


def follow_landmarks(
    landmarks: Landmarks,
    grey: np.ndarray,
    camera: Intrinsics,
    T_frame_landmarks: np.ndarray,
    search: Search,
    beside: np.ndarray | None = None,
) -> Followed:
    """Look for landmarks in a grey image whose camera is expected at `T_frame_landmarks` (in the
    landmarks' unit); `beside` (N, 2): pixels by which each is likely to lie beside its point."""
    moved = landmarks.points @ T_frame_landmarks[:3, :3].T + T_frame_landmarks[:3, 3]
    expected = project(moved, camera)
    likely = expected if beside is None else expected + beside
    which = np.flatnonzero(inside(likely, grey.shape, _MARGIN))
    seen = len(which)
    which = which[:: max(1, -(-seen // search.most))]
    template, pixels = _bent(landmarks, which, grey.shape, camera, T_frame_landmarks)
    start = likely[which].astype(np.float32)
    if not len(which):
        return Followed(which, expected[which], expected[which], seen)
    there, good = _flow(template, grey, pixels, start, search.levels)
    good &= np.abs(there - start).max(1) < search.strays
    good &= inside(there, grey.shape, 1)
    which, there, pixels = which[good], there[good], pixels[good]
    if search.home and len(which):
        back, returned = _flow(grey, template, there, pixels, 0)
        good = returned & (np.abs(back - pixels).max(1) < _HOME)
        which, there = which[good], there[good]
    return Followed(which, there.astype(np.float64), expected[which], seen)


def _bent(
    landmarks: Landmarks,
    which: np.ndarray,
    size: tuple[int, int],
    camera: Intrinsics,
    T: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The landmarks' image and their pixels in it as the frame would see them on a wall at their
    usual depth: turned, grown and slanted, where that makes a difference to a patch."""
    pixels = landmarks.pixels[which]
    H = T[:3, :3].copy()
    H[:, 2] += T[:3, 3] / landmarks.depth
    H = camera.K @ H @ np.linalg.inv(landmarks.camera.K)
    if not _bends(H, landmarks.camera):
        return landmarks.grey, pixels
    image = cv2.warpPerspective(
        landmarks.grey, H, size[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    moved = cv2.perspectiveTransform(pixels[None], H)[0] if len(pixels) else pixels
    return image, moved


def _bends(H: np.ndarray, camera: Intrinsics) -> bool:
    """Whether patches at the middle or the corners of a view change their shape."""
    x, y = camera.width - 1, camera.height - 1
    places = np.array([(x / 2, y / 2), (0, 0), (x, 0), (0, y), (x, y)])
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * _PATCH
    wanted = (places[:, None] + corners).reshape(-1, 2)
    whole = np.column_stack((wanted, np.ones(len(wanted)))) @ H.T
    if (whole[:, 2] <= 1e-6).any():
        return False
    moved = (whole[:, :2] / whole[:, 2:]).reshape(5, 4, 2)
    shape = moved - moved.mean(1, keepdims=True) - corners
    return bool(np.abs(shape).max() > _BENT)


def flow_there_and_back(
    source: np.ndarray, target: np.ndarray, pixels: np.ndarray, start: np.ndarray, levels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where (N, 2) float32 pixels of one grey image lie in another, looked for from `start` on, and
    which (N,) came back when followed home again."""
    if not len(pixels):
        return start, np.zeros(0, bool)
    there, found = _flow(source, target, pixels, start, levels)
    back, returned = _flow(target, source, there, pixels, 0)
    return there, found & returned & (np.abs(back - pixels).max(1) < _HOME)


def fresh_corners(grey: np.ndarray, followed: np.ndarray, most: int, apart: int) -> np.ndarray:
    """(N, 2) float32 pixels of corners in a grey image, `apart` pixels from each other and from
    those that are `followed` already (M, 2): so many that all together are at most `most`."""
    free = np.full(grey.shape, 255, np.uint8)
    for x, y in np.rint(followed).astype(int):
        cv2.circle(free, (int(x), int(y)), apart, 0, -1)
    none = np.zeros((0, 2), np.float32)
    if len(followed) >= most:
        return none
    found = cv2.goodFeaturesToTrack(grey, most - len(followed), 0.01, apart, mask=free)
    return none if found is None else np.asarray(found.reshape(-1, 2), np.float32)


def _flow(
    source: np.ndarray, target: np.ndarray, pixels: np.ndarray, start: np.ndarray, levels: int
) -> tuple[np.ndarray, np.ndarray]:
    there, status, _ = cv2.calcOpticalFlowPyrLK(
        source,
        target,
        pixels,
        start.copy(),
        winSize=(15, 15),
        maxLevel=levels,
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 12, 0.03),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return there, status[:, 0].astype(bool)
