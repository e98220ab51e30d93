# SPDX-License-Identifier: Apache-2.0
"""Frames turned so that z points up, once gravity is known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from dens3r_ros.mapping.update import Update


@dataclass(frozen=True, eq=False)
class GroundLevel:
    """T_level_map and T_level_odom (4, 4), pure turns."""

    map: np.ndarray = field(default_factory=lambda: np.eye(4))
    odom: np.ndarray = field(default_factory=lambda: np.eye(4))
    by_gravity: bool = False

    def applied(self, update: Update) -> Update:
        """An update in the turned frames."""
        if not self.by_gravity:
            return update
        T_map, T_odom = update.T_map_camera, update.T_odom_camera
        return replace(
            update,
            T_map_camera=None if T_map is None else self.map @ T_map,
            T_odom_camera=None if T_odom is None else self.odom @ T_odom,
            T_map_odom=self.map @ update.T_map_odom @ self.odom.T,
            levelled_by="gravity",
        )


LEVEL = GroundLevel()
"""Turns nothing."""


def level_of(up_map: np.ndarray | None, up_odom: np.ndarray) -> GroundLevel:
    """With what is up (3,) in both frames; as little as that takes."""
    if up_map is None:
        return LEVEL
    return GroundLevel(_upright(up_map), _upright(up_odom), True)


def _upright(up: np.ndarray) -> np.ndarray:
    """(4, 4) the least turn that takes a unit vector to z; not for one that points down."""
    x, y, z = up / np.linalg.norm(up)
    T = np.eye(4)
    share = 1 / max(1 + z, 1e-6)
    T[:3, :3] = (
        (1 - x * x * share, -x * y * share, -x),
        (-x * y * share, 1 - y * y * share, -y),
        (x, y, z),
    )
    return T
