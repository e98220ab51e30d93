# SPDX-License-Identifier: Apache-2.0
"""When an alignment is tried, and set right by corners where those were followed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dens3r_ros.imu import ImuNoise
from dens3r_ros.mapping.inertial.alignment import InertialAlignment, align
from dens3r_ros.mapping.inertial.believing import FITS, LEAST_S
from dens3r_ros.mapping.inertial.buffer import ImuBuffer
from dens3r_ros.mapping.inertial.bundle.beside import BundleBeside
from dens3r_ros.mapping.inertial.moments import FeltMoments, Sighted

_EVERY_S = 2.5
"""Seconds between two attempts at least."""
_EVERY_SHARE = 0.3
"""The same as a share of what is aligned, once the scale is believed."""

Found = tuple[InertialAlignment, Sequence[Sighted]]
"""An alignment, and the sights that it is of."""


class Attempts:
    """Of one sensor, whose readings are in a buffer."""

    def __init__(self, noise: ImuNoise, buffer: ImuBuffer, patient: bool = False) -> None:
        self.bundle = BundleBeside(patient)
        self._noise, self._buffer = noise, buffer
        self._next = 0

    def soon(self) -> None:
        """What was asked is of another length unit: try anew."""
        self.bundle.drop()
        self._next = 0

    def forget(self) -> None:
        """What follows is tied to nothing before."""
        self.bundle.forget()
        self._next = 0

    def found(
        self, stamp: int, moments: FeltMoments, offset: int, T_camera_imu: np.ndarray, known: bool
    ) -> Found | None:
        """What is found by a frame of that stamp (ns), now and then; `known`: whether something was
        believed before. An alignment that fits is told when it was set right."""
        if self.bundle.busy:
            return self.bundle.answer(stamp)
        last = moments.last
        if last is None or moments.seconds < LEAST_S or last.stamp < self._next:
            return None
        share = _EVERY_SHARE if known else 0.0
        self._next = last.stamp + round(max(_EVERY_S, share * moments.seconds) * 1e9)
        found = align(moments.passage(), T_camera_imu, self._noise)
        if found is None:
            return None
        sights, buffer = list(moments.sights), self._buffer
        fits = found.misfit <= FITS
        if fits and self.bundle.ask(found, sights, buffer, offset, T_camera_imu, self._noise):
            return None
        return found, sights
