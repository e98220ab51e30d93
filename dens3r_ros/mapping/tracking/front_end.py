# SPDX-License-Identifier: Apache-2.0
"""Every frame at its camera's rate: tracked on the images, decoded where that is worth while."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.graph import rigid
from dens3r_ros.mapping.odometry import Odometry
from dens3r_ros.mapping.session import Session
from dens3r_ros.mapping.step import Record
from dens3r_ros.mapping.stopwatch import Stopwatch
from dens3r_ros.mapping.tracking.answer import Standing, placed_update, unplaced_update
from dens3r_ros.mapping.tracking.course import Course
from dens3r_ros.mapping.tracking.decoder import Decoded, Decoder, Earlier, Request
from dens3r_ros.mapping.tracking.fast_tracker import Placed
from dens3r_ros.mapping.tracking.need import well_placed, worth_decoding
from dens3r_ros.mapping.tracking.pace import Pace
from dens3r_ros.mapping.tracking.reference import Reference
from dens3r_ros.mapping.update import Counters, Update

R = TypeVar("R")
_STALE = 4
"""Frames of each camera that may pass until one that sends none is not waited for."""


@dataclass(frozen=True, eq=False)
class _Asked:
    """A frame that is being decoded, its number, its record by tracking alone if it has one, and
    how many frames the session will know to have a place by then."""

    number: int
    frame: Frame
    record: Record | None
    told: int

    @property
    def T(self) -> np.ndarray | None:
        """T_keyframe_frame by tracking alone, if it has one."""
        return None if self.record is None else self.record.T_keyframe_frame


class FrontEnd:
    """Places every frame in a session's map, while decodings go on beside it.

    `odom` is integrated here; the session's own is of decoded frames alone.
    """

    def __init__(self, session: Session) -> None:
        self._session, self._config = session, session.parts.config
        self._decoder = Decoder(session)
        self.odometry = Odometry(session.odometry.epoch)
        self._owner = self._config.cameras.odometry
        self._courses: dict[str, Course] = {}
        self._number = self._lost = self._told = 0
        self._asked_last: int | None = None
        self._asked: _Asked | None = None
        self._last: Update | None = None
        self._records: list[Record] = []
        self._pace = Pace()

    def step(self, frame: Frame) -> Update:
        """Place one frame."""
        self._number += 1
        self._owner = self._owner or frame.camera
        course = self._courses.get(frame.camera)
        if course is None:
            owner = frame.camera == self._owner
            course = self._courses[frame.camera] = Course(owner, self._config.tracking)
        watch = Stopwatch()
        with watch.stage("wait"):
            decoded = self._due()
        if decoded is not None:
            with watch.stage("take over"):
                self._take_over(decoded)
        self._pace.came(frame.stamp)
        if not self._config.decoding.every and self._pace.keeps_up and self._decoder.idle:
            update = self._at_once(course, frame)
            if update.T_map_camera is not None:
                return update
        with watch.stage("follow"):
            found = course.place(frame)
        record = self._recorded(course, frame, found)
        if self._decodes(course, found):
            self._ask(course, frame, found, record)
        elif record is not None:
            self._remember(course, frame, found, record)
        return self._answer(course, frame, found, decoded, watch)

    def _at_once(self, course: Course, frame: Frame) -> Update:
        """Decode a frame and wait for it, where the machine is quick enough."""
        self._ask(course, frame, "", None)
        decoded = self._taken()
        self._take_over(decoded)
        update = decoded.update
        reference = course.reference
        if update.T_map_camera is None or reference is None:
            return update
        course.stand_there(frame)
        if course.owner:
            self.odometry.correct(reference.S_map_keyframe, course.motion.T_keyframe_frame)
        T_map_odom = self.odometry.T_map_odom
        return replace(
            update,
            T_map_odom=T_map_odom,
            T_odom_camera=np.linalg.inv(T_map_odom) @ update.T_map_camera,
            epoch=self.odometry.epoch,
            counters=self._counters(),
        )

    def finish(self) -> None:
        """Take over what is under way, and do all work that waits."""
        if self._decoder.waiting:
            self._take_over(self._taken())
        for course in self._courses.values():
            if course.earlier is not None:
                self._records.append(course.earlier.record)
                course.earlier = None
        self.aside(self._session.finish).result()

    def aside(self, function: Callable[[], R]) -> Future[R]:
        """Run something on the session between decodings, once it knows of all frames so far."""
        if self._decoder.here:
            return self._decoder.aside(function)
        records, self._records = self._records, []
        self._told += len(records)

        def job() -> R:
            self._session.world.records.extend(records)
            return function()

        return self._decoder.aside(job)

    def close(self) -> None:
        """Wait for what is under way, and end."""
        self._decoder.close()

    def _due(self) -> Decoded | None:
        """What a decoding brought, once it is time to take it over."""
        if self._asked is None:
            return None
        settings = self._config.decoding
        due = self._number >= self._asked.number + settings.lag
        ready = due if settings.every else self._decoder.ready
        return self._taken() if ready else None

    def _taken(self) -> Decoded:
        """The answer; where there is only an error, the frame it was asked for is let go."""
        try:
            return self._decoder.take()
        except Exception:
            self._asked = None
            raise

    def _decodes(self, course: Course, found: Placed | str) -> bool:
        """Whether a frame should be decoded, and can."""
        reference, since = course.reference, self._number - course.decoded
        course.number = self._number
        course.wants = (
            reference is None
            or isinstance(found, str)
            or worth_decoding(found, reference, since, self._config.keyframes)
        )
        return course.wants and self._can_decode() and not self._others_first(course)

    def _can_decode(self) -> bool:
        every = self._config.decoding.every
        if not every:
            return self._decoder.idle
        rested = self._asked_last is None or self._number >= self._asked_last + every
        return rested and not self._decoder.waiting

    def _others_first(self, course: Course) -> bool:
        """Whether another camera has waited longer for a decoding."""
        lately = self._number - _STALE * len(self._courses)
        return any(
            other.wants and other.decoded < course.decoded and other.number > lately
            for other in self._courses.values()
        )

    def _ask(
        self, course: Course, frame: Frame, found: Placed | str, record: Record | None
    ) -> None:
        courses = self._courses.values()
        held = frozenset(c.reference.keyframe_id for c in courses if c.reference is not None)
        earlier, course.earlier = course.earlier, None
        if earlier is not None and well_placed(found):
            self._records.append(earlier.record)
            earlier = None
        records, self._records = self._records, []
        expected, keyframe_id = None, None
        if record is not None:
            expected, keyframe_id = record.T_keyframe_frame, record.keyframe_id
        if frame in course.unplaced:
            course.unplaced.remove(frame)
        self._decoder.ask(Request(frame, expected, keyframe_id, earlier, records, held))
        told = self._told + len(records) + (record is not None) + (earlier is not None)
        self._asked, self._told = _Asked(self._number, frame, record, told), 0
        self._asked_last = course.decoded = self._number

    def _remember(self, course: Course, frame: Frame, found: Placed | str, record: Record) -> None:
        """Keep a frame's record; the last good one with its image, in case the next are not."""
        if not well_placed(found):
            self._records.append(record)
            return
        if course.earlier is not None:
            self._records.append(course.earlier.record)
        course.earlier = Earlier(frame, record)

    def _take_over(self, decoded: Decoded) -> None:
        """Let every camera go on from what a decoding brought."""
        asked, self._asked, self._last = self._asked, None, decoded.update
        assert asked is not None
        self._pace.took(decoded.seconds)
        if decoded.update.T_map_camera is None and asked.record is not None:
            self._records.append(asked.record)
        for name, reference in decoded.references.items():
            course = self._courses.get(name)
            if course is None or reference is None:
                continue
            self._go_on(course, reference, decoded, asked if name == asked.frame.camera else None)

    def _go_on(
        self, course: Course, reference: Reference, decoded: Decoded, asked: _Asked | None
    ) -> None:
        """One camera's part of it; `asked` if the frame was this camera's."""
        old, here = course.reference, course.motion.T_keyframe_frame
        S_new_old = None
        if old is not None:
            S_new = np.linalg.inv(reference.S_map_keyframe)
            S_new_old = S_new @ decoded.S_map[old.keyframe_id]
        sure = asked is not None and decoded.update.T_map_camera is not None
        if asked is not None and sure and (S_new_old is None or course.lost):
            late = course.resume(reference, asked.frame)
            self._records += [self._record(reference, *one) for one in late]
        elif S_new_old is not None:
            course.go_on(reference, S_new_old)
            if asked is not None and sure and asked.T is not None:
                course.correct(rigid(S_new_old @ asked.T))
        else:
            course.reference = reference
        if course.owner:
            self._hand_over(course, reference, S_new_old, here)

    def _hand_over(
        self,
        course: Course,
        reference: Reference,
        S_new_old: np.ndarray | None,
        T_old_frame: np.ndarray,
    ) -> None:
        """Let `odom` go on from a newer reference: the camera stays where it was in it."""
        S_map, T = reference.S_map_keyframe, course.motion.T_keyframe_frame
        if S_new_old is None:
            self.odometry.begin(reference.keyframe_id, S_map)
        else:
            S_old_new = np.linalg.inv(S_new_old)
            self.odometry.hand_over(reference.keyframe_id, S_old_new, T_old_frame, T)
        self.odometry.correct(S_map, T)

    def _recorded(self, course: Course, frame: Frame, found: Placed | str) -> Record | None:
        if isinstance(found, str) or course.reference is None:
            return None
        return self._record(course.reference, frame, found)

    def _record(self, reference: Reference, frame: Frame, found: Placed) -> Record:
        epoch, T = self.odometry.epoch, found.T_keyframe_frame
        return Record.of(frame, reference.keyframe_id, T, epoch)

    def _answer(
        self,
        course: Course,
        frame: Frame,
        found: Placed | str,
        decoded: Decoded | None,
        watch: Stopwatch,
    ) -> Update:
        self._lost += isinstance(found, str)
        timings = dict(watch.milliseconds)
        if decoded is not None:
            timings |= decoded.update.timings
        standing = Standing(self._last, decoded is not None, timings, self._counters(), self._session.parts.metric)
        if isinstance(found, str):
            return unplaced_update(frame, course, found, self.odometry, standing)
        return placed_update(frame, course, found, self.odometry, standing)

    def _counters(self) -> Counters:
        known = Counters() if self._last is None else self._last.counters
        told = self._told + (0 if self._asked is None else self._asked.told)
        return replace(
            known,
            frames=self._number,
            tracked=known.tracked + len(self._records) + told + self._kept(),
            lost=self._lost,
            decoded=known.frames,
        )

    def _kept(self) -> int:
        """Cameras whose last good frame is kept aside."""
        return sum(course.earlier is not None for course in self._courses.values())
