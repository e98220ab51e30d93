# SPDX-License-Identifier: Apache-2.0
"""Where something that goes on the ground is at each time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dens3r_ros.scenes.moving.cast import pose, turned


@dataclass(frozen=True, eq=False)
class Route:
    """`position` (N, 3) metres and unwrapped `heading` (N,) radians, `rate` samples a second;
    before the first and after the last it stands."""

    position: np.ndarray
    heading: np.ndarray
    rate: float

    @cached_property
    def _travelled(self) -> np.ndarray:
        steps = np.linalg.norm(np.diff(self.position, axis=0), axis=1)
        return np.concatenate(([0.0], steps.cumsum()))

    def _read(self, values: np.ndarray, seconds: float) -> np.ndarray:
        at = min(max(seconds * self.rate, 0.0), len(values) - 1.0)
        low = min(int(at), len(values) - 2)
        return values[low] + (at - low) * (values[low + 1] - values[low])

    def pose(self, seconds: float) -> np.ndarray:
        """(4, 4) T_world_body: x ahead, z up."""
        turn = turned("z", float(self._read(self.heading, seconds)))
        return pose(self._read(self.position, seconds), turn)

    def on(self, height: float) -> Route:
        """The same at one height, metres."""
        level = np.full(len(self.position), height)
        return replace(self, position=np.column_stack((self.position[:, :2], level)))

    def travelled(self, seconds: float) -> float:
        """Metres from the start."""
        return float(self._read(self._travelled, seconds))

    def speed(self, seconds: float) -> float:
        """Metres a second, over half a second."""
        return self.travelled(seconds + 0.25) * 2 - self.travelled(seconds - 0.25) * 2
