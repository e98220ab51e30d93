# SPDX-License-Identifier: Apache-2.0
"""Where the pixels of a view lie in another one if only the camera moved, and how surely."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from dens3r_ros.geometry.camera import Intrinsics

_TURN, _SHIFT = 0.003, 0.01
"""Standard deviation of a pose against another: radians, and a share of the depth."""
_FIT_STEP = 6
"""Pixels between those by which a pose is corrected."""
_FIT_ROUNDS = 3
_FIT_SCALE = 0.5
"""Pixels of error from which on a pixel has less of a say."""


@dataclass(frozen=True, eq=False)
class EgoFlow:
    """For every pixel of a view (h, w): where it lies in another one (x, y), the depth that it has
    there, whether that is ahead and inside, and by how many pixels an error of a share of its depth
    moves it (along_x, along_y), in the view's own axes."""

    x: np.ndarray
    y: np.ndarray
    depth: np.ndarray
    seen: np.ndarray
    along_x: np.ndarray
    along_y: np.ndarray


@lru_cache(maxsize=4)
def grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) float32 x and y of every pixel; not to be changed."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return x, y


@lru_cache(maxsize=4)
def slopes(camera: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) float32 x and y of the rays of depth 1; not to be changed."""
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    return (
        ((x - camera.cx) / camera.fx).astype(np.float32),
        ((y - camera.cy) / camera.fy).astype(np.float32),
    )


def ego_flow(
    depth: np.ndarray, camera: Intrinsics, T_then_now: np.ndarray, there: Intrinsics
) -> EgoFlow:
    """Of a view with this depth (h, w), in a view of another camera."""
    x, y = slopes(camera)
    R, t = T_then_now[:3, :3].astype(np.float32), T_then_now[:3, 3].astype(np.float32)
    X, Y, Z = (depth * (R[i, 0] * x + R[i, 1] * y + R[i, 2]) + t[i] for i in range(3))
    ahead = 1e-3 * depth < Z
    nearness = 1 / np.where(ahead, Z, np.float32(1))
    u = X * nearness * np.float32(there.fx) + np.float32(there.cx)
    v = Y * nearness * np.float32(there.fy) + np.float32(there.cy)
    seen = ahead & (u >= 0) & (v >= 0) & (u <= there.width - 1) & (v <= there.height - 1)
    back = (T_then_now[:3, :3].T @ T_then_now[:3, 3]).astype(np.float32)
    close = 1 / np.maximum(depth, np.float32(1e-9))
    shrunk = 1 / np.square(np.maximum(1 + close * back[2], np.float32(0.1)))
    along_x = close * (x * back[2] - back[0]) * shrunk * np.float32(camera.fx)
    along_y = close * (y * back[2] - back[1]) * shrunk * np.float32(camera.fy)
    return EgoFlow(u, v, Z, seen, along_x, along_y)


def without_pose_error(
    off: np.ndarray, depth: np.ndarray, camera: Intrinsics, trust: np.ndarray
) -> np.ndarray:
    """(h, w, 2) offsets without what a small error of the pose makes of them: the one that the
    pixels agree on, each as far as it is trusted (h, w), and that a pose may have."""
    some = (slice(_FIT_STEP // 2, None, _FIT_STEP),) * 2
    rows = _by_pose(depth, camera, some)
    wanted, trusted = off[some].reshape(-1), np.repeat(trust[some].ravel(), 2)
    usual = float(np.median(depth[some]))
    prior = np.diag(np.repeat([1 / (_SHIFT * usual) ** 2, 1 / _TURN**2], 3))
    motion = np.zeros(6)
    for _ in range(_FIT_ROUNDS):
        left = (wanted - rows @ motion).reshape(-1, 2)
        size = np.square(left).sum(1) / _FIT_SCALE**2
        weight = trusted * np.repeat(1 / np.square(1 + size), 2) / _FIT_SCALE**2
        weighed = rows.T * weight
        motion = np.linalg.solve(weighed @ rows + prior, weighed @ wanted)
    return off - _moved_by(motion.astype(np.float32), depth, camera)


def _moved_by(motion: np.ndarray, depth: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """(h, w, 2) pixels by which a small shift and turn (6,) moves what is seen."""
    x, y = slopes(camera)
    close = 1 / np.maximum(depth, np.float32(1e-9))
    nearing = motion[4] * x - motion[3] * y - motion[2] * close
    across = motion[0] * close + motion[4] - motion[5] * y + x * nearing
    down = motion[1] * close - motion[3] + motion[5] * x + y * nearing
    return cv2.merge((np.float32(camera.fx) * across, np.float32(camera.fy) * down))


def _by_pose(depth: np.ndarray, camera: Intrinsics, some: tuple[slice, slice]) -> np.ndarray:
    """(2 N, 6) float32 pixels by which a small shift and turn moves what is seen."""
    x, y = (slope[some].ravel() for slope in slopes(camera))
    close = 1 / np.maximum(depth[some].ravel(), np.float32(1e-9))
    rows = np.zeros((len(x), 2, 6), np.float32)
    rows[:, 0, 0], rows[:, 0, 2] = close, -x * close
    rows[:, 1, 1], rows[:, 1, 2] = close, -y * close
    rows[:, 0, 3], rows[:, 0, 4], rows[:, 0, 5] = -x * y, 1 + x * x, -y
    rows[:, 1, 3], rows[:, 1, 4], rows[:, 1, 5] = -1 - y * y, x * y, x
    rows[:, 0] *= np.float32(camera.fx)
    rows[:, 1] *= np.float32(camera.fy)
    return rows.reshape(-1, 6)


def sampled(image: np.ndarray, x: np.ndarray, y: np.ndarray, outside: float) -> np.ndarray:
    """(h, w) values of an image at those places, bilinear."""
    return cv2.remap(
        image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(outside,) * 2
    )
