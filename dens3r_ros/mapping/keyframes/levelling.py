# SPDX-License-Identifier: Apache-2.0
"""Which way is up: by the base frame, by the floor, or by trusting the camera to be upright."""

from __future__ import annotations

import numpy as np
import torch

from dens3r_ros.geometry.normals import normals_from_points
from dens3r_ros.mapping.config import LevellingConfig

_BLOCK = 8
"""Pixels, each way, that are averaged before slopes are looked at."""
_MOSTLY = 0.8
"""Share of a block's pixels that must be known."""
_MOST_TILT = np.deg2rad(40.0)
"""Angle between a floor's normal and an upright camera's up beyond which it is called a wall."""
_CONE = np.deg2rad(8.0)
"""Normals this near to each other belong to one surface."""
_SAME_HEIGHT = 0.1
"""Relative difference of heights below the camera within one floor."""
_MIN_KNOWN = 30
"""Blocks without which nothing is said."""
_MIN_SHARE = 0.04
"""Share of the known blocks that a floor must cover."""
_GUESSES = 300


class CameraLeveller:
    """The leveller of a mapper; see `Leveller`."""

    def __init__(self, config: LevellingConfig | None = None) -> None:
        self._config = config or LevellingConfig()

    def __call__(self, points: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, str]:
        """(3, 3) rotation R_level_optical and by what it was found."""
        level, T_base_camera = self._config.level, self._config.T_base_camera
        if level == "base" and T_base_camera is not None:
            return np.array(T_base_camera, np.float64)[:3, :3], "base"
        if level != "camera":
            up = floor_normal(points, confidence)
            if up is not None:
                return standing(up), "floor"
        return standing(np.array([0.0, -1.0, 0.0])), "camera"


def standing(up: np.ndarray) -> np.ndarray:
    """(3, 3) R_level_optical with z along `up` (optical frame) and x where the camera looks."""
    forward = np.array([0.0, 0.0, 1.0])
    if abs(forward @ up) > 0.98:
        forward = np.array([0.0, -1.0, 0.0])
    x = forward - (forward @ up) * up
    x /= np.linalg.norm(x)
    return np.stack((x, np.cross(up, x), up))


def floor_normal(points: np.ndarray, confidence: np.ndarray) -> np.ndarray | None:
    """(3,) unit normal of the dominant floor of an (h, w, 3) pointmap; None without one."""
    calm = _averaged(points, confidence)
    normals, known = (map_.numpy() for map_ in normals_from_points(torch.from_numpy(calm)))
    if known.sum() < _MIN_KNOWN:
        return None
    seen, facing = calm[known].astype(np.float64), normals[known].astype(np.float64)
    flat = (facing[:, 1] < -np.cos(_MOST_TILT)) & (seen[:, 1] > 0)
    if flat.sum() < _MIN_SHARE * known.sum():
        return None
    seen, facing = seen[flat], facing[flat]
    up = _commonest(facing)
    near = facing @ up > np.cos(_CONE)
    height = seen[near] @ up
    level = np.abs(height / _densest(height) - 1) < _SAME_HEIGHT
    if level.sum() < _MIN_SHARE * known.sum():
        return None
    return _plane_normal(seen[near][level], up)


def _averaged(points: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """(h / 8, w / 8, 3) means of blocks, quieter than pixels; 0 where a block is not all known."""
    rows, columns = (side // _BLOCK for side in confidence.shape)
    cut = (slice(rows * _BLOCK), slice(columns * _BLOCK))
    shape = (rows, _BLOCK, columns, _BLOCK)
    known = (confidence[cut] > 1).reshape(shape).mean((1, 3)) > _MOSTLY
    mean = points[cut].reshape(*shape, 3).mean((1, 3))
    return np.where(known[..., None], mean, 0).astype(np.float32)


def _commonest(facing: np.ndarray) -> np.ndarray:
    """The direction around which most unit vectors lie."""
    guesses = facing[np.linspace(0, len(facing) - 1, _GUESSES).astype(int)]
    votes = (guesses @ facing.T > np.cos(_CONE)).sum(1)
    up = guesses[votes.argmax()]
    for _ in range(5):
        up = _mean_direction(facing[facing @ up > np.cos(_CONE)])
    return up


def _densest(heights: np.ndarray) -> float:
    """The height around which most values lie; all are of one sign."""
    order = np.sort(heights)
    count = np.searchsorted(order, order * 0.9) - np.searchsorted(order, order * 1.1)
    return float(order[np.abs(count).argmax()])


def _plane_normal(points: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Of the plane through points that lie about level."""
    _, _, axes = np.linalg.svd(points - points.mean(0), full_matrices=False)
    return axes[2] if axes[2] @ up > 0 else -axes[2]


def _mean_direction(vectors: np.ndarray) -> np.ndarray:
    mean = vectors.mean(0)
    return mean / np.linalg.norm(mean)
