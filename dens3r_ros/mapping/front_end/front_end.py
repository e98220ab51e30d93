# SPDX-License-Identifier: Apache-2.0
"""Every frame at its camera's rate: tracked on the images, decoded where that is worth while."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from dens3r_ros.engines.protocol import DistantEngine, EngineAway
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.front_end.answer import LastAnswer, placed_update, unplaced_update
from dens3r_ros.mapping.front_end.asking import request_of
from dens3r_ros.mapping.front_end.corners.first_pair import FirstPair
from dens3r_ros.mapping.front_end.course import Course
from dens3r_ros.mapping.front_end.decoder import Decoded, DecodingThread
from dens3r_ros.mapping.front_end.fast_tracker import Placed
from dens3r_ros.mapping.front_end.ledger import Ledger
from dens3r_ros.mapping.front_end.need import beginning, vanishing
from dens3r_ros.mapping.front_end.schedule import DecodingSchedule
from dens3r_ros.mapping.graph.graph import rigid
from dens3r_ros.mapping.history.record import Record
from dens3r_ros.mapping.inertial.gyroscope import Gyroscope, felt_by
from dens3r_ros.mapping.motion.watch import MotionWatch
from dens3r_ros.mapping.reference import Reference
from dens3r_ros.mapping.session import MappingSession
from dens3r_ros.mapping.stopwatch import Stopwatch
from dens3r_ros.mapping.streams.odometry import APART, Odometry
from dens3r_ros.mapping.update import Counters, Update

R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class _Asked:
    """A frame that is being decoded, its record by tracking alone if it has one, and how many
    records the session's counters will know with it."""

    frame: Frame
    record: Record | None
    told: int


class FrontEnd:
    """Places every frame in a session's map, while decodings go on beside it.

    `odom` is integrated here; the session's own is of decoded frames alone.
    """

    def __init__(self, session: MappingSession, gyroscope: Gyroscope | None = None) -> None:
        config = session.parts.config
        self._session, self._config, self._gyroscope = session, config, gyroscope
        self._decoder = DecodingThread(session)
        self._schedule = DecodingSchedule(config.decoding, config.keyframes, self._decoder)
        self._ledger = Ledger()
        self.odometry = Odometry(session.odometry.epoch)
        self._owner = config.cameras.odometry
        self._courses: dict[str, Course] = {}
        self._lost = 0
        self._asked: _Asked | None = None
        self._last: Update | None = None
        # A frame never waits for an engine that may be away.
        self._distant = isinstance(session.parts.engine, DistantEngine)

    def step(self, frame: Frame) -> Update:
        """Place one frame."""
        self._schedule.came(frame.stamp)
        update = self._placed(frame)
        self._schedule.answered()
        return update

    def _placed(self, frame: Frame) -> Update:
        course, watch = self._course(frame.camera), Stopwatch()
        with watch.stage("await decoding"):
            decoded = self._taken() if self._schedule.due else None
        if decoded is not None:
            with watch.stage("take over"):
                self._take_over(decoded)
        if self._schedule.at_once and not self._distant:
            update = self._at_once(course, frame, "decoded at once")
            if update is not None and update.T_map_camera is not None:
                return update
        with watch.stage("follow"):
            found = course.place(frame)
        self._ledger.add_all(course.late.take_records(self.odometry.epoch))
        if course.watch is not None and isinstance(found, Placed):
            with watch.stage("motion"):
                found = course.with_motion(frame, found)
        if self._waits_for(course, found):
            update = self._at_once(course, frame, found)
            if update is not None and update.T_map_camera is not None:
                return update
            if isinstance(found, Placed):
                # What was taken over meanwhile may stand by another keyframe.
                found = replace(found, T_keyframe_frame=course.motion.T_keyframe_frame)
        else:
            self._note(course, frame, found)
        return self._answer(course, frame, found, decoded, watch)

    def finish(self) -> None:
        """Take over what is under way, and do all work that waits."""
        if self._decoder.waiting and (decoded := self._taken()) is not None:
            self._take_over(decoded)
        for course in self._courses.values():
            course.finish()
            self._ledger.add_all(course.late.take_records(self.odometry.epoch))
        self._ledger.settle()
        self.aside(self._session.finish).result()

    def aside(self, function: Callable[[], R]) -> Future[R]:
        """Run something on the session between decodings, once it knows of the frames so far."""
        if self._decoder.here:
            return self._decoder.aside(function)
        records = self._ledger.all()

        def job() -> R:
            self._session.world.records.extend(records)
            return function()

        return self._decoder.aside(job)

    def close(self) -> None:
        """Wait for what is under way, and end."""
        self._decoder.close()

    def _course(self, camera: str) -> Course:
        self._owner = self._owner or camera
        if camera not in self._courses:
            owner = camera == self._owner
            gyroscope = self._gyroscope if owner else None
            motion = self._config.motion
            watch = MotionWatch(motion) if motion.enabled else None
            pair = None if self._session.parts.engine.info.monocular else FirstPair()
            settings = self._config.tracking
            self._courses[camera] = Course(owner, settings, gyroscope, watch=watch, pair=pair)
        return self._courses[camera]

    def _waits_for(self, course: Course, found: Placed | str) -> bool:
        """Whether a frame should not be answered before it is decoded."""
        new, lag = course.reference is None, self._schedule.lag + self._decoder.waiting
        begins = new and self._schedule.free and beginning(course, lag)
        return not self._distant and (begins if new else vanishing(course, found, lag))

    def _at_once(self, course: Course, frame: Frame, found: Placed | str) -> Update | None:
        """Decode a frame and wait for it."""
        record = None
        if isinstance(found, Placed) and course.reference is not None:
            record = self._record(course.reference, frame, found)
        under_way = self._taken() if self._decoder.waiting else None
        if under_way is not None:
            self._take_over(under_way)
        self._ask(course, frame, found, record)
        if (decoded := self._taken()) is None:
            return None
        self._take_over(decoded)
        update, reference = decoded.update, course.reference
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

    def _note(self, course: Course, frame: Frame, found: Placed | str) -> None:
        """Remember the frame's place, and have it decoded where that is worth while."""
        record = None
        if isinstance(found, Placed) and course.reference is not None:
            record = self._record(course.reference, frame, found)
        if self._schedule.decodes(course, found, self._courses.values()):
            self._ask(course, frame, found, None if course.unsure else record)
        elif isinstance(found, Placed) and record is not None:
            self._ledger.note(frame, found, record)

    def _record(self, reference: Reference, frame: Frame, found: Placed) -> Record:
        T = found.T_keyframe_frame
        return Record.of(frame, reference.keyframe_id, T, self.odometry.epoch)

    def _ask(
        self, course: Course, frame: Frame, found: Placed | str, record: Record | None
    ) -> None:
        known = frame, found, record, self._ledger, self._courses.values()
        request = request_of(course, *known, felt_by(self._gyroscope))
        course.forget(frame)
        self._decoder.ask(self._schedule.hurried(request, course, found))
        self._asked = _Asked(frame, record, self._ledger.told)
        self._schedule.asked(course)

    def _taken(self) -> Decoded | None:
        """What was asked for; where there is only an error, the frame keeps the place it has.
        Nothing where the engine is away: tracking goes on without."""
        try:
            return self._decoder.take()
        except Exception as error:
            asked = self._asked
            if asked is not None and asked.record is not None:
                self._ledger.add(asked.record)
            if not isinstance(error, EngineAway):
                raise
            if asked is not None and asked.record is None:
                self._course(asked.frame.camera).unplaced.append(asked.frame)
            return None

    def _take_over(self, decoded: Decoded) -> None:
        """Let every camera go on from what a decoding brought."""
        asked, self._last = self._asked, decoded.update
        assert asked is not None
        self._schedule.pace.took(decoded.seconds, decoded.hurried)
        self._ledger.confirm(asked.told)
        if decoded.update.T_map_camera is None and asked.record is not None:
            self._ledger.add(asked.record)
        for name, reference in decoded.references.items():
            course = self._courses.get(name)
            own = asked if name == asked.frame.camera else None
            if course is not None and reference is not None:
                self._go_on(course, reference, decoded, own)
            elif course is not None:
                course.reference = None

    def _go_on(
        self, course: Course, reference: Reference, decoded: Decoded, asked: _Asked | None
    ) -> None:
        """One camera's part of it; `asked` if the frame was this camera's."""
        old, here = course.reference, course.motion.T_keyframe_frame
        S_new_old, apart = None, False
        if old is not None:
            S_new = np.linalg.inv(reference.S_map_keyframe)
            S_new_old = S_new @ decoded.S_map[old.keyframe_id]
            pieces = decoded.pieces
            apart = pieces[old.keyframe_id] != pieces[reference.keyframe_id]
        if apart and course.owner:
            self.odometry.begin_epoch(APART)
        sure = asked is not None and decoded.update.T_map_camera is not None
        if asked is not None and not sure and course.unsure and not course.lost:
            course.lose()
        begins = S_new_old is None or course.unsure or apart
        if asked is not None and sure and begins:
            course.resume(reference, asked.frame)
        elif S_new_old is not None:
            course.go_on(reference, S_new_old)
            if asked is not None and sure and asked.record is not None:
                course.correct(rigid(S_new_old @ asked.record.T_keyframe_frame))
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

    def _answer(
        self,
        course: Course,
        frame: Frame,
        found: Placed | str,
        decoded: Decoded | None,
        watch: Stopwatch,
    ) -> Update:
        self._lost += isinstance(found, str)
        timings, computed = dict(watch.milliseconds), dict(watch.computed)
        if decoded is not None:
            timings |= decoded.update.timings
            computed |= decoded.update.computed
        metric, taken = self._session.parts.metric, decoded is not None
        standing = LastAnswer(self._last, taken, timings, computed, self._counters(), metric)
        if isinstance(found, str):
            return unplaced_update(frame, course, found, self.odometry, standing)
        return placed_update(frame, course, found, self.odometry, standing)

    def _counters(self) -> Counters:
        known = Counters() if self._last is None else self._last.counters
        return replace(
            known,
            frames=self._schedule.number,
            tracked=known.tracked + len(self._ledger),
            lost=self._lost,
            decoded=known.frames,
        )
