# SPDX-License-Identifier: Apache-2.0
"""Readings between two moments as one motion, by GTSAM's preintegration."""

from __future__ import annotations

from dataclasses import dataclass

import gtsam
import numpy as np

from dens3r_ros.imu import ImuNoise, ImuReadings

GRAVITY = 9.81
"""m/s^2; from the equator to the poles it grows by 0.5%."""
_STEP = 1e-3
_INTEGRATION = 1e-4
"""m/sqrt(s) that the integration itself errs."""


@dataclass(frozen=True, eq=False)
class FeltMotion:
    """From the first moment to the last, in the first one's sensor frame, less gravity: R (3, 3),
    velocity (3,) m/s and position (3,) m gained; by_bias (6, 3): how position and velocity change
    with the force's bias; covariance (6, 6) of position and velocity; `seconds` between."""

    R: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    by_bias: np.ndarray
    covariance: np.ndarray
    seconds: float


class Preintegrator:
    """Integrates with the noise of one sensor."""

    def __init__(self, noise: ImuNoise) -> None:
        self._parameters = gtsam.PreintegrationCombinedParams.MakeSharedU(GRAVITY)
        for setter, sigma in (
            ("setAccelerometerCovariance", noise.force_density),
            ("setGyroscopeCovariance", noise.turn_density),
            ("setIntegrationCovariance", _INTEGRATION),
            ("setBiasAccCovariance", noise.force_walk),
            ("setBiasOmegaCovariance", noise.turn_walk),
        ):
            getattr(self._parameters, setter)(np.eye(3) * sigma**2)

    def summed(
        self, readings: ImuReadings, turn_bias: np.ndarray
    ) -> gtsam.PreintegratedCombinedMeasurements:
        """GTSAM's own sums from the first reading to the last."""
        bias = gtsam.imuBias.ConstantBias(np.zeros(3), turn_bias)
        sums = gtsam.PreintegratedCombinedMeasurements(self._parameters, bias)
        seconds = np.diff(readings.stamps) * 1e-9
        force = 0.5 * (readings.force[1:] + readings.force[:-1])
        turn = 0.5 * (readings.turn[1:] + readings.turn[:-1])
        for f, w, dt in zip(force, turn, seconds.tolist(), strict=True):
            sums.integrateMeasurement(f, w, dt)
        return sums

    def over(self, readings: ImuReadings, turn_bias: np.ndarray) -> FeltMotion:
        """The motion from the first reading to the last."""
        none, sums = np.zeros(3), self.summed(readings, turn_bias)
        by_bias = (
            np.stack([self._gained(sums, e, turn_bias) for e in _STEP * np.eye(3)], -1)
            - self._gained(sums, none, turn_bias)[:, None]
        )
        return FeltMotion(
            sums.deltaRij().matrix(),
            sums.deltaPij(),
            sums.deltaVij(),
            by_bias / _STEP,
            sums.preintMeasCov()[3:9, 3:9],
            float(sums.deltaTij()),
        )

    @staticmethod
    def _gained(
        sums: gtsam.PreintegratedCombinedMeasurements, force: np.ndarray, turn: np.ndarray
    ) -> np.ndarray:
        """(6,) position and velocity with other biases, and whatever gravity adds."""
        there = sums.predict(gtsam.NavState(), gtsam.imuBias.ConstantBias(force, turn))
        return np.concatenate((there.position(), there.velocity()))
