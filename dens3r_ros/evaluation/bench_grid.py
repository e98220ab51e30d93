# SPDX-License-Identifier: Apache-2.0
"""What a floor plan costs that follows the map, as CPU time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dens3r_ros.mapping.occupancy.occupancy import FloorPlan
from dens3r_ros.mapping.occupancy.scan import GridConfig

_WINDOW, _WHOLE, _SMALL = 10, (240, 320), (60, 80)
"""Keyframes that still change, and sizes of their points and of archived ones."""
_HEIGHT, _HALL, _FAR = 1.5, 10.0, 6.0
_CONFIDENCE = 1.5
_MOVED = 0.03
"""Metres by which a loop moves keyframes: more than half a cell."""
_TIMES = 3


@dataclass(frozen=True, eq=False)
class _Look:
    """A keyframe as `FloorPlan` sees it; see its `Seen`."""

    id: int
    revision: int
    in_window: bool
    T_map_camera: np.ndarray
    points: np.ndarray
    confidence: np.ndarray

    def moved(self) -> _Look:
        """After a solve."""
        T = self.T_map_camera.copy()
        T[:2, 3] += _MOVED
        return replace(self, T_map_camera=T, revision=self.revision + 1)


def bench_grid(keyframes: int) -> dict[str, object]:
    """A hall of 20 m with so many keyframes in it: seconds to draw all of them for the first time
    and again after all have moved, and milliseconds where those of the window have changed."""
    random = np.random.RandomState(0)
    looks = [_look(i, i >= keyframes - _WINDOW, random) for i in range(keyframes)]
    plan = FloorPlan(GridConfig())
    first = _spent(plan, looks)
    again, following = [], []
    for _ in range(_TIMES):
        looks = [look.moved() for look in looks]
        again.append(_spent(plan, looks))
        looks = [look.moved() if look.in_window else look for look in looks]
        following.append(_spent(plan, looks))
    return {
        "keyframes": keyframes,
        "first_s": first,
        "redraw_s": float(np.median(again)),
        "following_ms": 1000 * float(np.median(following)),
        "core_percent_once_a_second": 100 * float(np.median(following)),
    }


def _spent(plan: FloorPlan, looks: Sequence[_Look]) -> float:
    began = time.thread_time()
    plan.draw(looks, 1.0, _CONFIDENCE)
    return time.thread_time() - began


def _look(number: int, in_window: bool, random: np.random.RandomState) -> _Look:
    """Somewhere in the hall, on the floor and an uneven wall."""
    rows, columns = _WHOLE if in_window else _SMALL
    u, v = np.meshgrid(np.linspace(-0.77, 0.77, columns), np.linspace(-0.57, 0.57, rows))
    wall = random.uniform(2.0, _FAR) + 0.2 * np.sin(9 * u)
    depth = np.minimum(_HEIGHT / np.maximum(v, 1e-3), wall)
    depth = depth * (1 + 0.01 * random.standard_normal(u.shape))
    points = np.stack((u, v, np.ones_like(u)), -1) * depth[..., None]
    yaw = random.uniform(0, 2 * np.pi)
    ahead = np.array((np.cos(yaw), np.sin(yaw), 0.0))
    T = np.eye(4)
    T[:3, :3] = np.stack((np.cross(ahead, (0, 0, 1.0)), (0, 0, -1.0), ahead), 1)
    T[:3, 3] = *random.uniform(0, _HALL, 2), _HEIGHT
    sure = np.full(u.shape, 5.0, np.float32)
    return _Look(number, 0, in_window, T, points.astype(np.float32), sure)
