# SPDX-License-Identifier: Apache-2.0
"""Which way is up: by the base frame, by the floor, or by trusting the camera to be upright."""

from __future__ import annotations

import numpy as np

from dens3r_ros.mapping.config import LevellingConfig

_STRIDE = 4
_MOST_TILT = np.deg2rad(40.0)
"""Angle between a floor's normal and an upright camera's up beyond which it is called a wall."""
_CONE = np.deg2rad(6.0)
"""Normals this near to each other belong to one surface."""
_MIN_SHARE = 0.08
"""Share of the known pixels that a floor must cover."""
_MIN_LEVEL = 0.3
"""Share of its pixels that must lie at one height: steps and clutter do not."""
_GUESSES = 300


class CameraLeveller:
    """The leveller of a mapper; see `Leveller`."""

    def __init__(self, config: LevellingConfig | None = None) -> None:
        self._config = config or LevellingConfig()

    def __call__(
        self, points: np.ndarray, normals: np.ndarray, confidence: np.ndarray
    ) -> tuple[np.ndarray, str]:
        """(3, 3) rotation R_level_optical and by what it was found."""
        level, T_base_camera = self._config.level, self._config.T_base_camera
        if level == "base" and T_base_camera is not None:
            return np.array(T_base_camera, np.float64)[:3, :3], "base"
        if level != "camera":
            up = floor_normal(points, normals, confidence)
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


def floor_normal(
    points: np.ndarray, normals: np.ndarray, confidence: np.ndarray
) -> np.ndarray | None:
    """(3,) unit normal of the dominant floor of an (h, w, 3) pointmap; None without one."""
    some = (slice(None, None, _STRIDE),) * 2
    known = (confidence[some] > 1) & (np.abs(normals[some]).sum(-1) > 0.5)
    if known.sum() < 100:
        return None
    seen, facing = points[some][known].astype(np.float64), normals[some][known].astype(np.float64)
    flat = (facing[:, 1] < -np.cos(_MOST_TILT)) & (seen[:, 1] > 0)
    seen, facing = seen[flat], facing[flat]
    if len(seen) < _MIN_SHARE * known.sum():
        return None
    up = _commonest(facing)
    near = facing @ up > np.cos(_CONE)
    height = seen[near] @ up
    middle = _densest(height)
    level = np.abs(height / middle - 1) < 0.1
    if near.sum() < _MIN_SHARE * known.sum() or level.mean() < _MIN_LEVEL:
        return None
    return _mean_direction(facing[near][level])


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


def _mean_direction(vectors: np.ndarray) -> np.ndarray:
    mean = vectors.mean(0)
    return mean / np.linalg.norm(mean)
