# SPDX-License-Identifier: Apache-2.0
"""An inertial sensor beside a camera: judged, timed, and used for what it can tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.imu import ImuNoise
from dens3r_ros.mapping.graph.felt import FeltWay
from dens3r_ros.mapping.inertial.alignment import InertialAlignment
from dens3r_ros.mapping.inertial.believing import FITS, SURE, believable, missing, unusual
from dens3r_ros.mapping.inertial.buffer import ImuBuffer, turned
from dens3r_ros.mapping.inertial.bundle.attempts import Attempts
from dens3r_ros.mapping.inertial.moments import FeltMoments, Sighted
from dens3r_ros.mapping.inertial.preintegration import Preintegrator
from dens3r_ros.mapping.inertial.timing import Timing
from dens3r_ros.mapping.inertial.visits import way_of
from dens3r_ros.mapping.update import Update

_LONGEST_NS = 1_500_000_000
"""Nanoseconds without a frame that the sensor bridges."""
_AHEAD_NS = 40_000_000
"""Nanoseconds that the last reading is believed to go on."""
_TURN_NS = 90_000_000
"""Nanoseconds over which turns are compared: longer than frames, whose errors then count less."""
_EARLY = 900
_AT_RANGE = "readings are at the end of the sensor's range"
_CALM_NS = 2_000_000_000
_SILENT_NS = 500_000_000
_NS = 1_000_000_000
_WAITING = 90


class Inertial:
    """Fed by two threads: readings go into `buffer`, tracked frames into `learn`.

    `T_camera_imu` (4, 4) is where the sensor sits in the camera's optical frame, None while that is
    not known; `offset_s` by how much readings are stamped later than images, None to find it out.
    `patient`: whether frames can wait, so that a run can be repeated.
    """

    def __init__(
        self,
        noise: ImuNoise | None = None,
        T_camera_imu: np.ndarray | None = None,
        offset_s: float | None = None,
        patient: bool = False,
    ) -> None:
        self.noise = noise or ImuNoise()
        self.buffer = ImuBuffer()
        self.T_camera_imu = T_camera_imu
        self.offset_s = offset_s
        self.alignment: InertialAlignment | None = None
        """Of the present epoch, once it is believed; bettered as the camera moves on."""
        self.revision = 0
        """Counts the alignments that were believed."""
        self.fault = ""
        """Why the readings are left out, in a sentence; empty where they are not."""
        self.up_map: np.ndarray | None = None
        """(3,) away from the ground, in the mapper's `map`, once it is known."""
        self.steers = False
        """Whether the map follows what is `felt`: its unit stays as long then as it was when it
        became known."""
        self.felt: FeltWay | None = None
        """What is known of keyframes."""
        self._metres: float | None = None
        self._piece: int | None = None
        self._frames = 0
        self._rescaled = False
        self._given_offset = offset_s is not None
        self._turn_bias = np.zeros(3)
        self._timing = Timing()
        self._integrator = Preintegrator(self.noise)
        self._tried: InertialAlignment | None = None
        self._attempts = Attempts(self.noise, self.buffer, patient)
        self._epoch, self._restarts, self._saturated_at = -1, 0, 0
        self._forget()

    @property
    def present(self) -> bool:
        """Whether there are readings at all."""
        return self.buffer.latest is not None

    @property
    def scale(self) -> float | None:
        """Metres of one length unit of `odom`; None until it is known."""
        held = None if self.alignment is None else self.alignment.scale
        return held if held is None or self._metres is None else self._metres

    @property
    def sigma(self) -> float:
        """Standard deviation of its logarithm."""
        return 0.0 if self.alignment is None else self.alignment.sigma

    @property
    def notice(self) -> str:
        """What is amiss with a sensor that serves nevertheless, in a sentence."""
        force = None if self.alignment is None else self.alignment.force_bias
        return unusual(self._turn_bias, force, self.noise)

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

    def see(self, frame: Frame) -> None:
        """Look at an image before the mapper does: its corners tell more than where it was."""
        watch = self._attempts.bundle.watch
        if self.present and not self.fault and watch.due(frame):
            last = watch.last
            watch.see(frame, None if last is None else self.turn(last, frame.stamp))

    def learn(self, update: Update) -> bool:
        """Take in a frame of the camera, in the mapper's own unit; whether the scale has become
        known, or better known, by it."""
        if update.epoch != self._epoch:
            self._go_on_in(update)
        self._frames = update.counters.frames
        self._piece = self._piece if update.piece is None else update.piece
        self._watch(update.stamp)
        if update.T_odom_camera is None or update.keyframe_id is None:
            return False
        self._sights.append(Sighted.of(update, self._rescaled))
        self._rescaled = False
        if self.T_camera_imu is None:
            return False
        self._take_sights()
        self._compare()
        offset, known = round((self.offset_s or 0.0) * _NS), self.alignment is not None
        mounted = self.T_camera_imu
        found = self._attempts.found(update.stamp, self._moments, offset, mounted, known)
        if found is None or not self._believe(found[0]):
            return False
        self.revision += 1
        self._hold(update, *found)
        return True

    def _hold(self, update: Update, believed: InertialAlignment, sights: Sequence[Sighted]) -> None:
        """Remember what is up, and from the first time on what the map's unit is to be."""
        up_there = believed.T_level_camera[-1, :3, :3].T @ believed.up
        self.up_map = (update.T_map_odom @ sights[-1].T_odom_camera)[:3, :3] @ up_there
        if self.steers:
            self._metres = self._metres or believed.scale * update.scale
            self.felt = way_of(sights, believed, self._metres)

    def progress(self) -> str:
        """One sentence on how far the scale is known."""
        if self.fault:
            return f"imu: {self.fault}"
        if self.alignment is not None:
            told = f"from imu: {self.scale:.4g} m for a unit of the mapper's odom"
        else:
            told = f"waiting for imu: {self._lacks()}"
        return f"{told}; {self.notice}" if self.notice else told

    def _lacks(self) -> str:
        """What is missing for metres to be known."""
        if not self.present:
            return "no reading has come yet"
        if self.T_camera_imu is None:
            return "its place beside the camera is not known yet"
        if self.offset_s is None:
            return "turn the camera left and right, to compare its clock"
        return missing(self._tried, self._moments)

    def _go_on_in(self, update: Update) -> None:
        """Another epoch: its length unit may be another, though what was felt of the camera's way
        so far lasts, and metres too where the map's unit was set right or keeps to them."""
        begun = self._epoch >= 0 and update.counters.frames >= self._frames
        self._epoch = update.epoch
        if not begun:
            self._forget()
            return
        if not self.steers or update.piece != self._piece:
            self.alignment = self._tried = None
        self._attempts.soon()
        self._rescaled = True

    def _forget(self) -> None:
        """Nothing is known of the map that comes."""
        self.alignment = self.up_map = self._tried = self.felt = self._metres = None
        self._sights: deque[Sighted] = deque(maxlen=_WAITING)
        self._rescaled = False
        self._break()

    def _break(self) -> None:
        """What follows is tied to nothing before."""
        self._sights.clear()
        self._last: Sighted | None = None
        """From which the next turn is compared."""
        self._early: deque[Sighted] = deque(maxlen=_EARLY)
        """Frames that wait for the offset."""
        self._moments = FeltMoments()
        self._attempts.forget()

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
            if not sight.seen:
                last = sight
            elif sight.stamp - last.stamp >= _TURN_NS:
                R = last.T_odom_camera[:3, :3].T @ sight.T_odom_camera[:3, :3]
                self._timing.add(last.stamp, sight.stamp, R)
                last = sight
            self._last = last
            if self.offset_s is None:
                self._early.append(sight)
            elif not self.fault or self.fault.startswith(_AT_RANGE):
                self._note(sight)

    def _note(self, sight: Sighted) -> None:
        """Make the frame one of the moments, if it is time."""
        before = self._moments.last
        if not self._moments.due(sight):
            return
        if before is None:
            self._moments.add(sight)
            return
        offset = round((self.offset_s or 0.0) * _NS)
        readings = self.buffer.between(before.stamp + offset, sight.stamp + offset)
        saturated = readings is not None and self.noise.at_range(readings)
        self._watch_range(saturated, sight.stamp)
        if readings is None or saturated or sight.stamp - before.stamp > _LONGEST_NS:
            self._break()
            self._last = sight
            return
        self._moments.add(sight, self._integrator.over(readings, np.zeros(3)))

    def _watch_range(self, saturated: bool, stamp: int) -> None:
        """Tell of readings at the end of the sensor's range, until there were none for a while."""
        if saturated:
            self._saturated_at = stamp
            self.fault = self.fault or f"{_AT_RANGE}: set imu.preset or its range, or move less"
        elif self.fault.startswith(_AT_RANGE) and stamp - self._saturated_at > _CALM_NS:
            self.fault = ""

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
            if self.alignment is None:
                self._turn_bias = fit.turn_bias
            first, self.offset_s = self.offset_s is None, fit.offset_s
            if first:
                for sight in self._early:
                    self._note(sight)
                self._early.clear()

    def _believe(self, found: InertialAlignment) -> bool:
        """Whether an alignment is the one that holds from now on."""
        before, self._tried = self._tried, found
        if found.misfit > FITS:
            return False
        self._turn_bias = found.turn_bias
        believed = believable(self.alignment, before, found)
        if self.alignment is not None and self._metres is not None and found.sigma < SURE:
            believed = True  # The map follows; its unit stays as it is.
        if believed:
            self.alignment = found
        return believed
