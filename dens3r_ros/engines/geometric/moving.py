# SPDX-License-Identifier: Apache-2.0
"""What of two views is known to move by itself, and so tells nothing of the motion between them,
and which tracks may stand still, by the pose that somebody expects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from dens3r_ros.engines.protocol import Features
from dens3r_ros.geometry.two_views.two_view import Cameras, Pose, epipolar_misses

_MOVES = 0.5
"""Probability from which on a pixel has no part in it."""
_BLED = 2
"""Pixels around it that may show it too."""
_BESIDE = 6
"""Pixels around that in which flow follows its start more than the images: no track is there."""
_NEAR = 3.0
"""Pixels from their epipolar lines within which tracks agree with a pose that is not exact."""
_LEAST_SHARE = 0.3
"""Share of the tracks that must agree before a pose is believed."""


@dataclass(frozen=True, eq=False)
class Moving:
    """(H, W) uint8 of either view, 1 where something moves; None where nothing is known."""

    a: np.ndarray | None = None
    b: np.ndarray | None = None

    @property
    def swapped(self) -> Moving:
        """The same with b first."""
        return Moving(self.b, self.a)

    @property
    def known(self) -> bool:
        """Whether anything is known."""
        return self.a is not None or self.b is not None

    @property
    def anything(self) -> bool:
        """Whether anything is known to move."""
        return any(mask is not None and bool(mask.any()) for mask in (self.a, self.b))

    @cached_property
    def beside(self) -> Moving:
        """With what is beside that."""
        return Moving(
            *(None if mask is None else _wider(mask, _BESIDE) for mask in (self.a, self.b))
        )

    def still(self, pixels_a: np.ndarray, pixels_b: np.ndarray) -> np.ndarray:
        """(N,) bool: which tracks (N, 2) lie on nothing that moves, in neither view."""
        return ~(_at(self.a, pixels_a) | _at(self.b, pixels_b))

    def of_a(self, landed: np.ndarray) -> np.ndarray:
        """(H, W) bool: which pixels of a move, or lie on something that does at `landed` (H, W, 2)
        in b."""
        found = np.zeros(landed.shape[:2], bool) if self.a is None else self.a > 0
        if self.b is None:
            return found
        there = cv2.remap(self.b, landed, None, cv2.INTER_NEAREST)  # type: ignore[call-overload]
        return found | (there > 0)


NOTHING = Moving()


def moving_of(a: Features, b: Features) -> Moving:
    """Of two views of one size."""
    return Moving(_mask(a), _mask(b)) if a.moving is not None or b.moving is not None else NOTHING


def grown(moving: Moving, size: tuple[int, int]) -> Moving:
    """On larger images (height, width), where nothing moves in what was added."""
    return Moving(_padded(moving.a, size), _padded(moving.b, size))


def _padded(mask: np.ndarray | None, size: tuple[int, int]) -> np.ndarray | None:
    if mask is None:
        return None
    below, right = size[0] - mask.shape[0], size[1] - mask.shape[1]
    return cv2.copyMakeBorder(mask, 0, below, 0, right, cv2.BORDER_CONSTANT, value=0)


def _mask(features: Features) -> np.ndarray | None:
    known = features.moving is not None and features.moving.shape == features.placement.size
    if features.moving is None or not known:
        return None
    mask = (features.moving > _MOVES).astype(np.uint8)
    return _wider(mask, _BLED)


def _wider(mask: np.ndarray, pixels: int) -> np.ndarray:
    return cv2.dilate(mask, np.ones((2 * pixels + 1,) * 2, np.uint8))


def _at(mask: np.ndarray | None, pixels: np.ndarray) -> np.ndarray:
    if mask is None:
        return np.zeros(len(pixels), bool)
    x, y = (
        np.clip(np.rint(pixels[:, axis]), 0, mask.shape[1 - axis] - 1).astype(int)
        for axis in (0, 1)
    )
    return mask[y, x] > 0


def near_pose(T_b_a: np.ndarray | None) -> Pose | None:
    """R and t of unit length of a pose (4, 4); None of one without a baseline."""
    if T_b_a is None:
        return None
    baseline = float(np.linalg.norm(T_b_a[:3, 3]))
    return None if baseline < 1e-9 else (T_b_a[:3, :3], T_b_a[:3, 3] / baseline)


def near_tracks(
    pixels_a: np.ndarray, pixels_b: np.ndarray, near: Pose | None, cameras: Cameras | None
) -> np.ndarray | None:
    """(N,) bool: which tracks (N, 2) may be of what stands still; None where no pose is expected,
    or too few agree with it."""
    if near is None or cameras is None or not len(pixels_a):
        return None
    agree = epipolar_misses(pixels_a, pixels_b, near, cameras) < _NEAR
    return agree if agree.mean() > _LEAST_SHARE else None
