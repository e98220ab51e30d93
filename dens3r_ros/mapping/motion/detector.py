# SPDX-License-Identifier: Apache-2.0
"""What moves by itself in the images of one camera, one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.motion.comparing import Compared, compare, dense_flow
from dens3r_ros.mapping.motion.config import MotionConfig
from dens3r_ros.mapping.motion.edges import along_edges, connected
from dens3r_ros.mapping.motion.ego import grid, sampled
from dens3r_ros.mapping.motion.look import Look, ViewedSurface, own_depth, seen_depth, small_camera

_PRIOR = -1.5
"""Logarithm of the odds that something moves of which nothing is known."""
_LEAST, _MOST = -3.0, 4.0
_KEPT_S = 0.06
"""Seconds after which what was known counts for less, by e."""
_LOST = 0.6
"""Share of it where an image shows nothing like what moved there before."""
_REMEMBERED = 60
_INVERTED = 3
"""Rounds in which a flow is inverted."""
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
        self._told = np.zeros((0, 0), np.float32)
        self._flow: tuple[int, np.ndarray] | None = None

    def carried(self, grey: np.ndarray, stamp: int) -> np.ndarray | None:
        """(h, w) float32 of an image (H, W) uint8 made small: what was told of the one before,
        where that is in this one; None after none, or one of another shape."""
        if not self._looks:
            return None
        last = self._looks[-1].grey
        small = _resized(grey, _small_size(grey, self._config.width))
        if small.shape != last.shape:
            return None
        flow = dense_flow(small, last)
        self._flow = stamp, flow
        return _brought(self._told, flow, 0)

    def followed(self, pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Where (N, 2) pixels of the image before, of (height, width), lie in the one of which
        `carried` told last."""
        if self._flow is None or not len(pixels):
            return pixels
        flow = self._flow[1]
        unit = np.array([flow.shape[1] / size[1], flow.shape[0] / size[0]], np.float32)
        there = ((pixels + 0.5) * unit - 0.5).astype(np.float32)
        here = there
        for _ in range(_INVERTED):
            shift = sampled(flow, here[None, :, 0], here[None, :, 1], 0)
            here = there - shift.reshape(-1, 2)
        return (here + 0.5) / unit - 0.5

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
        now = replace(now, odds=self._combined(now, self._compared(now, base)))
        self._looks.append(now)
        chance = along_edges(1 / (1 + np.exp(-now.odds)), now.grey)
        self._told = connected(chance, self._config.moves_from, self._config.moves_on)
        return self._told

    def looked_back(self, base: Base) -> np.ndarray | None:
        """(h, w) float32 of the keyframe that the last images were placed against, made small: what
        moves there by what came after; None while that is too near."""
        since = [look for look in self._looks if look.stamp > base.stamp]
        if not since or since[-1].stamp < base.stamp + self._config.before * 1e9:
            return None
        past, now = MotionDetector(self._config), since[-1]
        mirrored = replace(base, stamp=-base.stamp)
        past.look(now.grey, now.camera, mirrored, now.T_keyframe_camera, -now.stamp)
        return past.look(base.grey, base.camera, mirrored, np.eye(4), -base.stamp)

    def _seen(
        self, grey: np.ndarray, camera: Intrinsics, base: Base, T: np.ndarray, stamp: int
    ) -> Look:
        small = small_camera(camera, self._config.width)
        depth, sigma = seen_depth(base.surface, np.linalg.inv(T), small)
        seen = _resized(grey, (small.width, small.height))
        last = self._looks[-1] if self._looks else None
        if last is None or last.grey.shape != seen.shape or stamp - last.stamp > _ANCIENT_S * 1e9:
            self._looks.clear()
            odds = np.full(seen.shape, _PRIOR, np.float32)
            return Look(seen, small, depth, sigma, T, stamp, odds)
        known = self._flow is not None and self._flow[0] == stamp
        flow = self._flow[1] if self._flow and known else dense_flow(seen, last.grey)
        odds = _brought(last.odds, flow, _PRIOR)
        return Look(seen, small, depth, sigma, T, stamp, odds, flow)

    def _compared(self, now: Look, base: Base) -> list[Compared]:
        """With the older image, and with the keyframe unless that is as old."""
        if now.flow is None:
            return [compare(now, self._keyframe(base, now))]
        older, flow = self._older(now.flow, now.stamp - round(self._config.before * 1e9))
        found = [compare(now, older, flow)]
        if base.stamp < older.stamp - 0.5 * self._config.before * 1e9:
            found.append(compare(now, self._keyframe(base, now)))
        return found

    def _older(self, flow: np.ndarray, wanted: int) -> tuple[Look, np.ndarray]:
        """The last image that is as old as that, or the oldest, and the flow (h, w, 2) to it, of
        which `flow` leads to the last of all."""
        looks = list(self._looks)
        while len(looks) > 1 and looks[-1].stamp > wanted:
            further = looks[-1].flow
            if further is None:
                break
            looks.pop()
            flow = flow + _brought(further, flow, 0)
        return looks[-1], flow

    def _keyframe(self, base: Base, now: Look) -> Look:
        small = small_camera(base.camera, self._config.width)
        size = (small.width, small.height)
        depth, sigma = own_depth(base.surface, small)
        odds = np.full(size[::-1], _PRIOR, np.float32)
        if base.motion is not None:
            chance = np.clip(_resized(base.motion, size), 0.02, 0.98)
            odds = np.log(chance / (1 - chance))
        return Look(_resized(base.grey, size), small, depth, sigma, np.eye(4), base.stamp, odds)

    def _combined(self, now: Look, told: Sequence[Compared]) -> np.ndarray:
        """(h, w) logarithm of the odds: what was known before, brought to where it is now, and
        what the comparisons add."""
        before: np.ndarray | float = _PRIOR
        if now.flow is not None:
            past = (now.stamp - self._looks[-1].stamp) * 1e-9
            # What moved goes on along with its image; where that is lost, less surely.
            lost = ~told[0].found & (now.odds > 0)
            known = np.where(lost, _LOST * now.odds, now.odds)
            before = _PRIOR + np.float32(np.exp(-past / _KEPT_S)) * (known - _PRIOR)
        added = np.sum([one.odds for one in told], axis=0)
        return np.clip(before + added, _LEAST, _MOST).astype(np.float32)


def _small_size(image: np.ndarray, long_side: int) -> tuple[int, int]:
    """(width, height) of an image made small."""
    scale = min(1.0, long_side / max(image.shape))
    return round(image.shape[1] * scale), round(image.shape[0] * scale)


def _brought(values: np.ndarray, flow: np.ndarray, outside: float) -> np.ndarray:
    """(h, w) or (h, w, 2) of an image, where a flow (h, w, 2) leads to."""
    x, y = grid(*flow.shape[:2])
    return sampled(values, x + flow[..., 0], y + flow[..., 1], outside)


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """On pixels of another size (width, height)."""
    if image.shape == size[::-1]:
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
