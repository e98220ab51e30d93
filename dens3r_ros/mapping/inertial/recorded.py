# SPDX-License-Identifier: Apache-2.0
"""An inertial sensor out of a recording, whose readings come as they would have come live."""

from __future__ import annotations

import numpy as np

from dens3r_ros.imu import ImuRecording
from dens3r_ros.mapping.inertial.inertial import Inertial


class RecordedInertial:
    """An `Inertial` and the readings that it has not had yet."""

    def __init__(self, recording: ImuRecording) -> None:
        self.inertial = Inertial(recording.noise, recording.T_camera_imu, patient=True)
        self._readings = recording.readings
        self._given = 0

    def before(self, stamp: int) -> None:
        """Hand over the readings up to a frame that was taken at a stamp in nanoseconds."""
        end = int(np.searchsorted(self._readings.stamps, stamp, "right"))
        self.inertial.buffer.extend(self._readings.part(slice(self._given, end)))
        self._given = max(end, self._given)
