# SPDX-License-Identifier: Apache-2.0
"""An inertial sensor beside a camera: judged, timed, and used for what it can tell."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from dens3r_ros.imu import ImuNoise, ImuReadings
from dens3r_ros.mapping.inertial.alignment import InertialAlignment, align
from dens3r_ros.mapping.inertial.buffer import ImuBuffer, turned
from dens3r_ros.mapping.inertial.preintegration import FeltMotion, Preintegrator
from dens3r_ros.mapping.inertial.timing import Timing
from dens3r_ros.mapping.update import Update

_APART_S = 0.12
"""Seconds between the moments that are aligned: several in each step of a walker."""
_SPAN_S = 40.0
"""Seconds that are aligned at once, at most; and at least before anything is said."""
_LEAST_S = 4.0
_EVERY_S = 2.5
"""Seconds between two attempts."""
SURE = 0.018
"""Standard deviation of the logarithm of the scale with which it is believed."""
SETTLED = 0.027
"""The same once all that is aligned at once is there: more motion of this kind tells no more."""
_MODEST = 3.0
"""By how much larger the deviations are than the equations say: they know nothing of biases that
wander, nor of errors that frames share."""
_LIVELY = 0.25
"""m/s^2: root mean square of accelerations without which a scale takes long."""
_AHEAD_NS = 40_000_000
"""Nanoseconds that the last reading is believed to go on."""
_TURN_NS = 90_000_000
"""Nanoseconds over which turns are compared: longer than frames, whose errors then count less."""
_EARLY = 900
_SILENT_NS = 500_000_000
_NS = 1_000_000_000
_WAITING = 90


@dataclass(frozen=True, eq=False)
class _Sight:
    stamp: int
    T_odom_camera: np.ndarray


class Inertial:
    """Fed by two threads: readings go into `buffer`, tracked frames into `learn`.

    `T_camera_imu` (4, 4) is where the sensor sits in the camera's optical frame, None while that is
    not known; `offset_s` by how much readings are stamped later than images, None to find it out.
    """

    def __init__(
        self,
        noise: ImuNoise | None = None,
        T_camera_imu: np.ndarray | None = None,
        offset_s: float | None = None,
    ) -> None:
        self.noise = noise or ImuNoise()
        self.buffer = ImuBuffer()
        self.T_camera_imu = T_camera_imu
        self.offset_s = offset_s
        self.alignment: InertialAlignment | None = None
        """Of the present epoch, once it is believed."""
        self.fault = ""
        """Why the readings are left out, in a sentence; empty where they are not."""
        self.up_map: np.ndarray | None = None
        """(3,) away from the ground, in the mapper's `map`, once it is known."""
        self._given_offset = offset_s is not None
        self._turn_bias = np.zeros(3)
        self._timing = Timing()
        self._integrator = Preintegrator(self.noise)
        self._epoch = -1
        self._tried: InertialAlignment | None = None
        self._restarts = 0
        self._begin_epoch(-1)

    @property
    def present(self) -> bool:
        """Whether there are readings at all."""
        return self.buffer.latest is not None

    @property
    def scale(self) -> float | None:
        """Metres of one length unit of `odom`; None until it is known."""
        return None if self.alignment is None else self.alignment.scale

    @property
    def sigma(self) -> float:
        """Standard deviation of its logarithm."""
        return 0.0 if self.alignment is None else _MODEST * self.alignment.sigma

    def turn(self, begin: int, end: int) -> np.ndarray | None:
        """(3, 3) R_begin_end of the camera between two stamps of images (ns), as it was felt; None
        where that is not known."""
        if self.fault or self.T_camera_imu is None or self.offset_s is None or end <= begin:
            return None
        offset = round(self.offset_s * _NS)
        readings = self.buffer.reaching(begin + offset, end + offset, _AHEAD_NS)
        if readings is None:
            return None
        R = self.T_camera_imu[:3, :3]
        return np.asarray(R @ turned(readings, self._turn_bias) @ R.T)

    def learn(self, update: Update) -> bool:
        """Take in a frame of the camera, in the mapper's own unit; whether the scale has become
        known by it."""
        if update.epoch != self._epoch:
            self._begin_epoch(update.epoch)
        self._watch(update.stamp)
        if update.T_odom_camera is None or not update.motion_seen:
            self._break()
            return False
        self._sights.append(_Sight(update.stamp, update.T_odom_camera))
        if self.T_camera_imu is None:
            return False
        self._take_sights()
        self._compare()
        known = self.alignment is None and self._attempt()
        if known and self.alignment is not None:
            self.up_map = update.T_map_odom[:3, :3] @ self.alignment.up
        return known

    def progress(self) -> str:
        """One sentence on how far the scale is known."""
        if self.fault:
            return f"imu: {self.fault}"
        if self.alignment is not None:
            return f"from imu: {self.alignment.scale:.4g} m for a unit of the mapper's odom"
        if not self.present:
            return "waiting for imu: no reading has come yet"
        if self.T_camera_imu is None:
            return "waiting for imu: its place beside the camera is not known yet"
        if self.offset_s is None:
            return "waiting for imu: turn the camera left and right, to compare its clock"
        return f"waiting for imu: {self._missing()}"

    def _missing(self) -> str:
        """What the motion lacks."""
        if self._tried is None:
            return f"{self._span():.0f} of {_LEAST_S:.0f} s of tracking without a break"
        if self._lively() < _LIVELY:
            return (
                "the motion is too even to tell metres: move sideways, up and down, or start and "
                f"stop (scale known to {_MODEST * self._tried.sigma:.0%})"
            )
        return f"the scale is known to {_MODEST * self._tried.sigma:.1%}; move on"

    def _begin_epoch(self, epoch: int) -> None:
        self._epoch, self.alignment, self.up_map, self._tried = epoch, None, None, None
        self._sights: deque[_Sight] = deque(maxlen=_WAITING)
        self._break()

    def _break(self) -> None:
        """What follows is tied to nothing before."""
        self._sights.clear()
        self._last: _Sight | None = None
        """From which the next turn is compared."""
        self._early: deque[_Sight] = deque(maxlen=_EARLY)
        """Frames that wait for the offset."""
        self._moments: deque[_Sight] = deque()
        self._motions: deque[FeltMotion] = deque()
        self._next_attempt = 0

    def _watch(self, stamp: int) -> None:
        """Notice readings that have stopped or begun again."""
        latest = self.buffer.latest
        if self.buffer.restarts != self._restarts:
            self._restarts = self.buffer.restarts
            self._break()
            self._timing = Timing()
            self.offset_s = self.offset_s if self._given_offset else None
        silent = latest is not None and stamp - latest > _SILENT_NS
        if silent and latest is not None:
            self.fault = f"no reading for {(stamp - latest) / _NS:.1f} s"
            self._break()
        elif self.fault.startswith("no reading"):
            self.fault = ""

    def _take_sights(self) -> None:
        """Go through the frames up to which there are readings."""
        latest, offset = self.buffer.latest, round((self.offset_s or 0.0) * _NS)
        while latest is not None and self._sights and self._sights[0].stamp + offset <= latest:
            sight = self._sights.popleft()
            last = self._last or sight
            if sight.stamp - last.stamp >= _TURN_NS:
                R = last.T_odom_camera[:3, :3].T @ sight.T_odom_camera[:3, :3]
                self._timing.add(last.stamp, sight.stamp, R)
                last = sight
            self._last = last
            if self.offset_s is None:
                self._early.append(sight)
            elif self.alignment is None and not self.fault:
                self._note(sight)

    def _note(self, sight: _Sight) -> None:
        """Make the frame one of the moments, if it is time."""
        before = self._moments[-1] if self._moments else None
        if before is None:
            self._moments.append(sight)
            return
        if sight.stamp - before.stamp < _APART_S * _NS:
            return
        offset = round((self.offset_s or 0.0) * _NS)
        readings = self.buffer.between(before.stamp + offset, sight.stamp + offset)
        if readings is None or self._saturated(readings):
            self._break()
            self._last = sight
            return
        self._moments.append(sight)
        self._motions.append(self._integrator.over(readings, np.zeros(3)))
        while self._span() > _SPAN_S:
            self._moments.popleft()
            self._motions.popleft()

    def _saturated(self, readings: ImuReadings) -> bool:
        noise = self.noise
        return bool(
            np.abs(readings.turn).max() > 0.99 * noise.turn_range
            or np.abs(readings.force).max() > 0.99 * noise.force_range
        )

    def _compare(self) -> None:
        """Find the offset, and whether the readings are of this camera at all."""
        if not self._timing.due or self.T_camera_imu is None:
            return
        readings = self.buffer.last(len(self.buffer))
        R = self.T_camera_imu[:3, :3]
        fit = self._timing.compare(readings, R, self.offset_s if self._given_offset else None)
        if fit is None:
            return
        searched = self._timing.compare(readings, R, None) if self._given_offset else fit
        if fit.contradicts or (searched is not None and searched.betters(fit)):
            self.fault = (searched or fit).complaint(R)
            self._break()
        elif fit.good:
            self.fault = ""
            first, self.offset_s = self.offset_s is None, fit.offset_s
            if first:
                for sight in self._early:
                    self._note(sight)
                self._early.clear()

    def _attempt(self) -> bool:
        """Align now and then; whether that is sure."""
        if self._span() < _LEAST_S or self._moments[-1].stamp < self._next_attempt:
            return False
        assert self.T_camera_imu is not None
        self._next_attempt = self._moments[-1].stamp + round(_EVERY_S * _NS)
        poses = np.array([moment.T_odom_camera for moment in self._moments])
        bias = 3 * self.noise.force_bias
        before, found = self._tried, align(poses, self._motions, self.T_camera_imu, bias)
        self._tried = found
        if found is None:
            return False
        self._turn_bias = found.turn_bias
        limit = SURE if self._span() < 0.9 * _SPAN_S else SETTLED
        if before is None or _MODEST * found.sigma > limit or not _steady(before, found):
            return False
        self.alignment = found
        return True

    def _span(self) -> float:
        if len(self._moments) < 2:
            return 0.0
        return (self._moments[-1].stamp - self._moments[0].stamp) / _NS

    def _lively(self) -> float:
        """Root mean square of the accelerations that were felt, m/s^2."""
        felt = np.array([motion.velocity / motion.seconds for motion in self._motions])
        sizes = np.linalg.norm(felt, axis=1)
        return float(sizes.std()) if len(sizes) else 0.0


def _steady(before: InertialAlignment, found: InertialAlignment) -> bool:
    """Whether two attempts in a row say the same, as far as the first could know."""
    apart = abs(np.log(found.scale / before.scale))
    return bool(apart < 3 * _MODEST * max(before.sigma, found.sigma))
