# SPDX-License-Identifier: Apache-2.0
"""The adjustment in a process of its own: it takes a second, and GTSAM's Python holds the
interpreter meanwhile."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.connection import Connection
from queue import Empty

import numpy as np

from dens3r_ros.imu import ImuNoise
from dens3r_ros.mapping.graph.child_process import ChildProcess
from dens3r_ros.mapping.inertial.alignment import InertialAlignment
from dens3r_ros.mapping.inertial.buffer import ImuBuffer
from dens3r_ros.mapping.inertial.bundle.adjustment import Adjusted, InertialBundle, adjusted
from dens3r_ros.mapping.inertial.bundle.correcting import corrected
from dens3r_ros.mapping.inertial.bundle.watching import CornerWatch
from dens3r_ros.mapping.inertial.moments import Sighted

_AFTER_NS = 1_500_000_000
"""Nanoseconds of images after which an answer is taken, if it has come: never sooner, so that a run
can be repeated where it is waited for."""
_PATIENCE_S = 20
"""Seconds more after which none is waited for any longer."""
_LEAST_S, _LEAST_SHARE = 4.0, 0.7
"""Seconds, and share of what was aligned, that corners must have been followed through."""


@dataclass(frozen=True, eq=False)
class _Asked:
    """An alignment of some sights, of which those `at` are adjusted; taken from `due` (ns) on."""

    found: InertialAlignment
    sights: Sequence[Sighted]
    at: Sequence[int]
    due: int


class BundleBeside:
    """One adjustment at a time of what a `CornerWatch` has seen; `patient`: frames wait for it."""

    def __init__(self, patient: bool = False) -> None:
        self._patient = patient
        self.watch = CornerWatch()
        self._child: ChildProcess | None = None
        self._closing: weakref.finalize[[], BundleBeside] | None = None
        self._asked: _Asked | None = None

    @property
    def busy(self) -> bool:
        """Whether an answer is waited for."""
        return self._asked is not None

    def drop(self) -> None:
        """What was asked does not matter any more."""
        if self._asked is not None:
            self._end()
        self._asked = None

    def forget(self) -> None:
        """Nor what was seen."""
        self.drop()
        self.watch.glimpses.clear()

    def ask(
        self,
        found: InertialAlignment,
        sights: Sequence[Sighted],
        buffer: ImuBuffer,
        offset: int,
        T_camera_imu: np.ndarray,
        noise: ImuNoise,
    ) -> bool:
        """Begin to set an alignment of these sights right, whose readings are stamped later by
        `offset` (ns); whether enough was seen for that."""
        index = {sight.stamp: n for n, sight in enumerate(sights)}
        glimpses = [glimpse for glimpse in self.watch.glimpses if glimpse.stamp in index]
        stamps = [glimpse.stamp for glimpse in glimpses]
        seconds = (stamps[-1] - stamps[0]) * 1e-9 if stamps else 0.0
        whole = (sights[-1].stamp - sights[0].stamp) * 1e-9
        if self.busy or seconds < max(_LEAST_S, _LEAST_SHARE * whole):
            return False
        between = [buffer.between(one + offset, other + offset) for one, other in pairwise(stamps)]
        readings = [part for part in between if part is not None]
        if len(readings) < len(between):
            return False
        at = [index[stamp] for stamp in stamps]
        poses, biases = found.T_level_camera[at], (found.turn_bias, found.force_bias)
        bundle = InertialBundle(glimpses, readings, poses, found.up, *biases, T_camera_imu, noise)
        self._begin().ask(bundle)
        self._asked = _Asked(found, list(sights), at, sights[-1].stamp + _AFTER_NS)
        return True

    def answer(self, stamp: int) -> tuple[InertialAlignment, Sequence[Sighted]] | None:
        """By a frame of that stamp: the alignment that was asked about, set right where that could
        be done, and its sights; None while there is none."""
        asked = self._asked
        if asked is None or self._child is None or stamp < asked.due:
            return None
        try:
            said = self._child.answers.get(self._patient, _PATIENCE_S)
        except Empty:
            if not self._patient and stamp < asked.due + _PATIENCE_S * 1_000_000_000:
                return None
            said = None
        self._asked = None
        if isinstance(said, Adjusted):
            return corrected(asked.found, asked.sights, asked.at, said), asked.sights
        if said is None:
            self._end()
        return asked.found, asked.sights

    def _end(self) -> None:
        """The child is gone, or works on what nobody wants."""
        if self._closing is not None:
            self._closing()
        self._child = self._closing = None

    def _begin(self) -> ChildProcess:
        """The child, started where there is none."""
        if self._child is None:
            self._child = ChildProcess(serve, (), "dens3r-bundle")
            self._closing = weakref.finalize(self, self._child.close)
        return self._child


def serve(connection: Connection) -> None:
    """Adjust what is asked until nothing is; what went wrong is answered as a sentence."""
    try:
        while True:
            connection.send(_answered(connection.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _answered(bundle: InertialBundle) -> Adjusted | str:
    try:
        found = adjusted(bundle)
    except (RuntimeError, ValueError, np.linalg.LinAlgError) as error:
        return f"{type(error).__name__}: {error}"
    return "too few corners could be followed" if found is None else found
