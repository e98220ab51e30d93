# SPDX-License-Identifier: Apache-2.0
"""Parameters of the inertial sensor."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from dens3r_ros.imu import PRESETS, ImuNoise
from dens3r_ros.nodes.settings.rule import setting

AUTO = "auto"


@dataclass(frozen=True)
class ImuParameters:
    """The topic imu."""

    preset: str = setting("default", "Which sensor it is.", choices=tuple(PRESETS))
    camera_from_imu: tuple[float, ...] = setting(
        (0.0,),
        "The sensor in the first camera's optical frame, x y z qx qy qz qw, metres; [0.0] looks it "
        "up in TF.",
    )
    time_offset: str = setting(
        AUTO, "Seconds by which readings are stamped later than images; auto finds it out."
    )
    turn_density: float = setting(
        0.0, "Noise of the gyroscope, rad/s/sqrt(Hz); 0 is the preset's.", low=0.0, high=1.0
    )
    force_density: float = setting(
        0.0, "The same of the accelerometer, m/s^2/sqrt(Hz).", low=0.0, high=10.0
    )
    turn_walk: float = setting(
        0.0,
        "How the gyroscope's bias wanders, rad/s^2/sqrt(Hz); 0 is the preset's.",
        low=0.0,
        high=1.0,
    )
    force_walk: float = setting(
        0.0, "The same of the accelerometer, m/s^3/sqrt(Hz).", low=0.0, high=10.0
    )

    @property
    def noise(self) -> ImuNoise:
        """The preset's, but for what is given."""
        names = ("turn_density", "force_density", "turn_walk", "force_walk")
        given = {name: getattr(self, name) for name in names if getattr(self, name)}
        return dataclasses.replace(PRESETS[self.preset], **given)

    @property
    def offset_s(self) -> float | None:
        """Seconds; None where it is to be found out. ValueError where it is no number."""
        return None if self.time_offset == AUTO else float(self.time_offset)
