# SPDX-License-Identifier: Apache-2.0
"""Which frame is decoded next, and when what that brings is taken over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from time import monotonic

from dens3r_ros.mapping.config import DecodingConfig, KeyframeConfig
from dens3r_ros.mapping.front_end.course import Course
from dens3r_ros.mapping.front_end.decoder import DecodingRequest, DecodingThread
from dens3r_ros.mapping.front_end.fast_tracker import Placed
from dens3r_ros.mapping.front_end.need import hurry, worth_decoding
from dens3r_ros.mapping.front_end.pace import DecodingPace

_SELDOM = 10
"""Frames after which one is decoded though no map seems to be able to begin with it."""
_STALE = 4
"""Frames of each camera that may pass until one that sends none is not waited for."""


class DecodingSchedule:
    """Counts the frames of all cameras together, and decides.

    Where `every` is set, all it decides depends on the frames alone, so that runs repeat; else the
    machine gives the pace.
    """

    def __init__(
        self, decoding: DecodingConfig, limits: KeyframeConfig, decoder: DecodingThread
    ) -> None:
        self.number = 0
        self.pace = DecodingPace()
        self._decoding, self._limits, self._decoder = decoding, limits, decoder
        self._asked: int | None = None
        self._came = 0.0

    def came(self, stamp: int) -> None:
        """One more frame."""
        self.number += 1
        self._came = monotonic()
        self.pace.came(stamp)

    def answered(self) -> None:
        """Its answer is there."""
        self.pace.answered(monotonic() - self._came)

    def asked(self, course: Course) -> None:
        """This frame is being decoded."""
        self._asked = course.decoded = self.number

    @property
    def free(self) -> bool:
        """Whether the machine gives the pace."""
        return not self._decoding.every

    @property
    def due(self) -> bool:
        """Whether the decoding that is under way should be taken over now."""
        if not self._decoder.waiting or self._asked is None:
            return False
        if self._decoding.every:
            return self.number >= self._asked + self._decoding.lag
        return self._decoder.ready

    @property
    def lag(self) -> float:
        """Frames until a decoding that begins now is taken over."""
        return self._decoding.lag if self._decoding.every else self.pace.lag

    @property
    def at_once(self) -> bool:
        """Whether the frame should be decoded before its answer."""
        return not self._decoding.every and self.pace.keeps_up and self._decoder.idle

    def hurried(
        self, request: DecodingRequest, course: Course, found: Placed | str
    ) -> DecodingRequest:
        """A request as it should be asked: in a hurry where the exact answer would come when the
        camera may be elsewhere already."""
        hurried = not self._decoding.every and hurry(course, found, self.pace.exact_lag)
        return replace(request, hurried=hurried)

    def decodes(self, course: Course, found: Placed | str, courses: Iterable[Course]) -> bool:
        """Whether a frame of one of the courses should be decoded beside what follows."""
        since = self.number - course.decoded
        course.number = self.number
        if isinstance(found, str) or course.reference is None:
            seldom = course.reference is None and course.pair is not None
            course.wants = not seldom or course.first is not None or since >= _SELDOM
        else:
            course.wants = worth_decoding(found, course.reference, since, self._limits)
        return course.wants and self._possible() and not self._others_first(course, courses)

    def _possible(self) -> bool:
        every = self._decoding.every
        if not every:
            return self._decoder.idle
        rested = self._asked is None or self.number >= self._asked + every
        return rested and not self._decoder.waiting

    def _others_first(self, course: Course, courses: Iterable[Course]) -> bool:
        """Whether another camera has waited longer for a decoding."""
        others = [other for other in courses if other is not course]
        lately = self.number - _STALE * (len(others) + 1)
        return any(
            other.wants and other.decoded < course.decoded and other.number > lately
            for other in others
        )
