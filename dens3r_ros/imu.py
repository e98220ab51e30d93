# SPDX-License-Identifier: Apache-2.0
"""What an inertial sensor reads, how well, and where it sits beside a camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np


@dataclass(frozen=True, eq=False)
class ImuReadings:
    """Readings in the order of time, in the sensor's own frame.

    stamps (N,) int64 nanoseconds; turn (N, 3) rad/s; force (N, 3) m/s^2, which is acceleration
    less gravity: +9.8 along whatever points up while it stands.
    """

    stamps: np.ndarray
    turn: np.ndarray
    force: np.ndarray

    def __len__(self) -> int:
        return len(self.stamps)

    def part(self, which: slice) -> ImuReadings:
        """Some of them."""
        return ImuReadings(self.stamps[which], self.turn[which], self.force[which])


@dataclass(frozen=True)
class ImuNoise:
    """How well a sensor measures; all per axis."""

    turn_density: float = 2e-4
    """rad/s/sqrt(Hz)."""
    force_density: float = 2e-3
    """m/s^2/sqrt(Hz)."""
    turn_walk: float = 2e-5
    """rad/s^2/sqrt(Hz): how the bias wanders."""
    force_walk: float = 3e-3
    """m/s^3/sqrt(Hz)."""
    turn_bias: float = 0.02
    """rad/s: standard deviation of the bias when it is switched on."""
    force_bias: float = 0.15
    """m/s^2."""
    turn_range: float = 17.4
    """rad/s that it can read at most."""
    force_range: float = 78.0
    """m/s^2."""

    def at_range(self, readings: ImuReadings) -> bool:
        """Whether any reading is at the end of what the sensor can read."""
        turn, force = np.abs(readings.turn).max(), np.abs(readings.force).max()
        return bool(turn > 0.99 * self.turn_range or force > 0.99 * self.force_range)


PRESETS: Mapping[str, ImuNoise] = MappingProxyType(
    {
        "default": ImuNoise(),
        "d435i": ImuNoise(2.5e-4, 1.6e-3, 2e-5, 3e-4, 0.01, 0.3, 17.4, 39.0),
        "zed2i": ImuNoise(1.2e-4, 1.4e-3, 2e-5, 3e-4, 0.02, 0.2, 17.4, 78.0),
        "oak-d": ImuNoise(2.4e-4, 1.5e-3, 3e-5, 4e-4, 0.02, 0.2, 34.8, 78.0),
        "vn100": ImuNoise(6.1e-5, 1.4e-3, 5e-6, 4e-4, 0.005, 0.05, 34.8, 157.0),
        "phone": ImuNoise(2e-4, 2.5e-3, 4e-5, 5e-4, 0.02, 0.2, 34.8, 78.0),
        "adis16448": ImuNoise(1.7e-4, 2e-3, 1.94e-5, 3e-3, 0.05, 0.1, 17.4, 176.0),
    }
)
"""By name; noise densities twice what data sheets promise at rest where those give no better."""


@dataclass(frozen=True, eq=False)
class ImuRecording:
    """All readings of a sequence. T_camera_imu (4, 4): the sensor's frame in the camera's optical
    one, metres; `offset_ns`: how much later than images of the same moment readings are stamped,
    where that is known."""

    readings: ImuReadings
    T_camera_imu: np.ndarray
    noise: ImuNoise = field(default_factory=ImuNoise)
    offset_ns: int | None = None
