# SPDX-License-Identifier: Apache-2.0
"""Which of a keyframe's points other keyframes see where it has them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics

WITHIN = 0.02
"""Relative difference of depth up to which two keyframes see the same point."""
_AVERAGED = 0.04
"""The same, up to which their depths are averaged."""
ENOUGH = 2
"""Other keyframes that must."""
OTHERS = 8
"""Keyframes, the nearest by what they see, that are asked."""
_KEPT = 24
"""Depth maps that are kept in memory."""

Depths = Callable[[int], tuple[np.ndarray, Intrinsics]]


class Remembering:
    """The depth maps used last."""

    def __init__(self, read: Depths) -> None:
        self._read = read
        self._kept: OrderedDict[int, tuple[np.ndarray, Intrinsics]] = OrderedDict()

    def __call__(self, keyframe: int) -> tuple[np.ndarray, Intrinsics]:
        """Depth (h, w) in the scene's unit, 0 unknown, and the camera of its pixels."""
        if keyframe not in self._kept:
            self._kept[keyframe] = self._read(keyframe)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(keyframe)
        return self._kept[keyframe]

    def forget(self, keyframe: int) -> None:
        """Read it again when it is asked for."""
        self._kept.pop(keyframe, None)


def agreement(
    points: np.ndarray,
    T_others_keyframe: Sequence[np.ndarray],
    others: Sequence[tuple[np.ndarray, Intrinsics]],
) -> tuple[np.ndarray, np.ndarray]:
    """For points (h, w, 3) of a keyframe: how many others see them within `WITHIN` (h, w), and how
    many look there and know a depth (h, w)."""
    agree = np.zeros(points.shape[:2], np.int32)
    looking = np.zeros(points.shape[:2], np.int32)
    for T, (depth, camera) in zip(T_others_keyframe, others, strict=True):
        seen, hit, z = _looked_up(points, T, depth, camera)
        looking += hit
        agree += hit & (np.abs(z - seen) < WITHIN * seen)
    return agree, looking


def averaged(
    points: np.ndarray,
    T_others_keyframe: Sequence[np.ndarray],
    others: Sequence[tuple[np.ndarray, Intrinsics]],
) -> np.ndarray:
    """(h, w) factors on the depth of a keyframe's points (h, w, 3): the mean of its own and of what
    others see of the same surface."""
    total, count = np.ones(points.shape[:2], np.float32), np.ones(points.shape[:2], np.float32)
    for T, (depth, camera) in zip(T_others_keyframe, others, strict=True):
        seen, hit, z = _looked_up(points, T, depth, camera)
        same = hit & (np.abs(z - seen) < _AVERAGED * seen)
        total += np.where(same, seen / np.where(same, z, 1), 0)
        count += same
    return total / count


def _looked_up(
    points: np.ndarray, T: np.ndarray, depth: np.ndarray, camera: Intrinsics
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The other's depth where it sees the points, whether it does, and the points' depth there."""
    moved = points @ T[:3, :3].T.astype(np.float32) + T[:3, 3].astype(np.float32)
    z = moved[..., 2]
    near = 1 / np.where(z > 1e-6, z, np.inf)
    x = np.rint(moved[..., 0] * near * camera.fx + camera.cx)
    y = np.rint(moved[..., 1] * near * camera.fy + camera.cy)
    inside = (near > 0) & (x >= 0) & (y >= 0) & (x < camera.width) & (y < camera.height)
    column = np.where(inside, x, 0).astype(np.intp)
    row = np.where(inside, y, 0).astype(np.intp)
    seen = depth[row, column]
    return seen, inside & (seen > 0), z


def confirmed(agree: np.ndarray, looking: np.ndarray) -> np.ndarray:
    """(h, w) which points stay: enough others see them, or all that look there where these are
    fewer, one at least."""
    return agree >= np.minimum(ENOUGH, np.maximum(looking, 1))


def nearest_keyframes(
    T_world_camera: np.ndarray, depth: float, keyframe: int, most: int = OTHERS
) -> list[int]:
    """Numbers of the keyframes (N, 4, 4) whose view is most alike, without the keyframe itself.

    Moving by the scene's depth counts as much as turning by a radian.
    """
    here = T_world_camera[keyframe]
    away = np.linalg.norm(T_world_camera[:, :3, 3] - here[:3, 3], axis=1) / depth
    turned = np.arccos((T_world_camera[:, :3, 2] @ here[:3, 2]).clip(-1, 1))
    order = np.argsort(away + turned, kind="stable")
    # Views that look elsewhere have nothing to say; ones from the very same place say the same.
    return [int(n) for n in order if n != keyframe and turned[n] < 1.0 and away[n] < 1.0][:most]
