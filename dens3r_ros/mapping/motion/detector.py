# SPDX-License-Identifier: Apache-2.0
"""What moves by itself in the images of one camera, one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.motion.comparing import Compared, compare
from dens3r_ros.mapping.motion.config import MotionConfig
from dens3r_ros.mapping.motion.edges import along_edges, connected
from dens3r_ros.mapping.motion.ego import grid, sampled
from dens3r_ros.mapping.motion.look import Look, ViewedSurface, seen_depth, small_camera

_PRIOR = -1.5
"""Logarithm of the odds that something moves of which nothing is known."""
_LEAST, _MOST = -3.0, 4.0
_KEPT_S = 0.15
"""Seconds after which what was known counts for less, by e."""
_LOST = 0.6
"""Share of it where an image shows nothing like what moved there before."""
_REMEMBERED = 60
_ANCIENT_S = 3.0
"""Seconds after which an image is no longer asked."""


@dataclass(frozen=True, eq=False)
class Base:
    """The keyframe that an image is seen against: its surface, its image (h, w) uint8 with
    camera and stamp (ns), and what moves in it (h, w) float32, as far as that is known."""

    keyframe_id: int
    surface: ViewedSurface
    grey: np.ndarray
    camera: Intrinsics
    stamp: int
    motion: np.ndarray | None = None


class MotionDetector:
    """Combines what the keyframe and one older image tell of each new one, over time."""

    def __init__(self, config: MotionConfig) -> None:
        self._config = config
        self._looks: deque[Look] = deque(maxlen=_REMEMBERED)
        self._keyframe_id: int | None = None

    def go_on(self, keyframe_id: int, S_new_old: np.ndarray | None) -> None:
        """Images are placed against another keyframe from now on, whose points S_new_old (4, 4)
        takes the former one's to; nothing is known any more where that is not."""
        if keyframe_id == self._keyframe_id and S_new_old is None:
            return
        known = [] if S_new_old is None else [look.placed(S_new_old) for look in self._looks]
        self._looks = deque(known, maxlen=_REMEMBERED)
        self._keyframe_id = keyframe_id

    def look(
        self,
        grey: np.ndarray,
        camera: Intrinsics,
        base: Base,
        T_keyframe_camera: np.ndarray,
        stamp: int,
    ) -> np.ndarray:
        """(h, w) float32 of an image (H, W) uint8 that was placed against a keyframe, made small:
        0 stands still to 1 moves."""
        if base.keyframe_id != self._keyframe_id:
            self.go_on(base.keyframe_id, None)
        now = self._seen(grey, camera, base, T_keyframe_camera, stamp)
        asked = self._asked(now, base)
        told = [compare(now, then) for then in asked]
        if told:
            now = replace(now, odds=self._combined(now, asked, told))
        self._looks.append(now)
        chance = along_edges(1 / (1 + np.exp(-now.odds)), now.grey)
        return connected(chance, self._config.moves_from, self._config.moves_on)

    def _seen(
        self, grey: np.ndarray, camera: Intrinsics, base: Base, T: np.ndarray, stamp: int
    ) -> Look:
        small = small_camera(camera, self._config.width)
        depth, sigma = seen_depth(base.surface, np.linalg.inv(T), small)
        size = (small.width, small.height)
        if self._looks and self._looks[-1].grey.shape != size[::-1]:
            self._looks.clear()
        odds = self._looks[-1].odds if self._looks else np.full(size[::-1], _PRIOR, np.float32)
        return Look(_resized(grey, size), small, depth, sigma, T, stamp, odds)

    def _asked(self, now: Look, base: Base) -> list[Look]:
        """The older image, and the keyframe unless that is as old or too old."""
        looks = [look for look in self._looks if now.stamp - look.stamp < _ANCIENT_S * 1e9]
        wanted = now.stamp - self._config.before * 1e9
        old = [look for look in looks if look.stamp <= wanted]
        asked = [old[-1]] if old else looks[:1]
        older = not asked or base.stamp < asked[0].stamp - 0.5 * self._config.before * 1e9
        return [*asked, self._keyframe(base, now)] if older else asked

    def _keyframe(self, base: Base, now: Look) -> Look:
        small = small_camera(base.camera, self._config.width)
        size = (small.width, small.height)
        depth, sigma = seen_depth(base.surface, np.eye(4), small)
        odds = np.full(size[::-1], _PRIOR, np.float32)
        if base.motion is not None:
            chance = np.clip(_resized(base.motion, size), 0.02, 0.98)
            odds = np.log(chance / (1 - chance))
        return Look(_resized(base.grey, size), small, depth, sigma, np.eye(4), base.stamp, odds)

    def _combined(self, now: Look, asked: Sequence[Look], told: Sequence[Compared]) -> np.ndarray:
        """(h, w) logarithm of the odds: what was known before, brought to where it is now, and
        what the comparisons add."""
        before = _PRIOR
        if self._looks:
            last, first = self._looks[-1], told[0]
            share = (now.stamp - last.stamp) / max(now.stamp - asked[0].stamp, 1)
            x, y = grid(*now.grey.shape)
            there = x + np.float32(share) * first.x, y + np.float32(share) * first.y
            kept = np.float32(np.exp(-(now.stamp - last.stamp) * 1e-9 / _KEPT_S))
            known = sampled(last.odds, *there, _PRIOR)
            # What moved goes on along with its image; where that is lost, less surely.
            lost = ~first.found & (known > 0)
            known = np.where(lost, _LOST * known, known)
            before = _PRIOR + kept * (known - _PRIOR)
        added = np.sum([one.odds for one in told], axis=0)
        return np.clip(before + added, _LEAST, _MOST).astype(np.float32)


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """On pixels of another size (width, height)."""
    if image.shape == size[::-1]:
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
