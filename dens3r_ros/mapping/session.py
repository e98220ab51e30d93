# SPDX-License-Identifier: Apache-2.0
"""Frames in the order of time, from a start or reset to the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.going_on import go_on
from dens3r_ros.mapping.history.history import History
from dens3r_ros.mapping.inertial.gyroscope import Gyroscope, start_of
from dens3r_ros.mapping.joining import join
from dens3r_ros.mapping.keyframes.company import Company
from dens3r_ros.mapping.keyframes.initialiser import First, Initialiser, placed_waiting
from dens3r_ros.mapping.keyframes.linking import tracked_link
from dens3r_ros.mapping.keyframes.taking_up import placed_at_older
from dens3r_ros.mapping.keyframes.window import leapt, left
from dens3r_ros.mapping.reporting import counters, report
from dens3r_ros.mapping.step import ByTracking, Step
from dens3r_ros.mapping.stopwatch import Stopwatch
from dens3r_ros.mapping.streams.odometry import Odometry
from dens3r_ros.mapping.streams.stream import Streams
from dens3r_ros.mapping.submaps.beginning import SubmapBeginner, believed_place, leave_behind
from dens3r_ros.mapping.submaps.by_tracking import fill, own_maps, standing_by_tracking
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.lens import WIDE, learn_from_last_pair, learn_from_pair
from dens3r_ros.mapping.tracking.observation import Observation, observe
from dens3r_ros.mapping.tracking.track import Track
from dens3r_ros.mapping.tracking.tracker import View, track
from dens3r_ros.mapping.update import Tracking, Update
from dens3r_ros.mapping.world import Parts, World

_RECENT = 3
"""Keyframes used last among which a lost frame is looked for, besides those that look alike."""


class MappingSession:
    """Places every frame in a world that grows with them; one camera owns `odom`."""

    def __init__(self, parts: Parts, epoch: int) -> None:
        self.parts, self._engine, self._config = parts, parts.engine, parts.config
        self.world = World(parts, self._in_use)
        self.history = History(self.world.records)
        self.odometry = Odometry(epoch)
        self.streams = Streams(parts.config.motion)
        self._last: dict[str, Step] = {}  # by camera, the last frame that was placed
        self._owner = parts.config.cameras.odometry
        self._initialiser = Initialiser(parts.engine, parts.maker, parts.config)
        self._company = Company(parts.engine, parts.config, parts.rigid, parts.maker)
        self._beginner = SubmapBeginner(parts)
        self._number = self._worked = self._lost = 0
        self.held: frozenset[int] = frozenset()
        self.begin_with: Frame | None = None
        """Keyframes that frames are tracked against between decodings; see `Step`."""
        self.gyroscope: Gyroscope | None = None
        self.levelled_by = ""
        """What made z point up: "base", "floor" or "camera"; empty before it is known."""

    def take(
        self,
        frame: Frame,
        expected: np.ndarray | None = None,
        leaving: bool = False,
        motion: np.ndarray | None = None,
        by_tracking: ByTracking | None = None,
    ) -> Update:
        """Place one frame, at T_keyframe_frame `expected` and with this `motion` where tracking
        knows it already; `leaving`: another keyframe would serve better."""
        watch = Stopwatch()
        with watch.stage("background"):
            self.catch_up()
        self._number += 1
        self._owner = self._owner or frame.camera
        stream = self.streams[frame.camera]
        frame = frame if self._config.calibrated else replace(frame, intrinsics=None)
        with watch.stage("encode"):
            features = self._engine.encode([stream.lens.apply(frame)])[0]
        with watch.stage("image"):
            view = stream.view(features, motion)
        step = Step(frame, features, stream, watch, view, frame.camera == self._owner)
        step.motion, step.by_tracking, step.leaving = motion, by_tracking, leaving
        step.held, step.begin_with = stream.expect(expected), self.begin_with
        with watch.stage("solve"):
            if self.world.moved_lately() | self.world.backend.apply(self._number):
                self._correct()
        if stream.keyframe_id is not None and not (stream.lost and step.begin_with):
            self._follow(step, self.world.live(stream.keyframe_id))
        elif step.owner and self.world.next_id:
            self._look_for(step, [], "nothing in the loaded map looks like this yet")
        elif step.owner:
            self._start(step)
        else:
            self._join(step)
        totals = counters(self.world, self._number, self._lost)
        return report(step, self.odometry, self.world, totals, self.levelled_by)

    def catch_up(self) -> None:
        """Do the share of work that the latest frame left to do, unless that is done."""
        if self._worked < self._number:
            self._worked = self._number
            self.world.work(self._number)

    def finish(self) -> None:
        """Do all work that waits, and wait for the solves that are under way."""
        self.world.finish()
        self.history.finish()

    def _in_use(self) -> set[int]:
        """Keyframes by which cameras stand."""
        used = {*self.held, self.odometry.keyframe_id}
        used |= {stream.keyframe_id for stream in self.streams.values()}
        return {i for i in used if i is not None}

    def _start(self, step: Step) -> None:
        """The first keyframe."""
        step.state = Tracking.INITIALISING
        with step.watch.stage("decode"):
            first = self._initialiser.offer(step, self.world.next_id)
        if not isinstance(first, str):
            return self._begin(step, first, self._level(first.keyframe))
        step.reason = first

    def _begin(self, step: Step, first: First, S_map_keyframe: np.ndarray) -> None:
        """Begin a piece of the map."""
        keyframe = first.keyframe
        self.world.begin(keyframe, S_map_keyframe)
        step.made_keyframe(keyframe.id)
        step.view = step.stream.learn(step.view, step.features, first.seen, keyframe)
        self._found(step, keyframe, first.seen, first.found)
        config, epoch = self._config.tracking, self.odometry.epoch
        self.world.records.extend(placed_waiting(first, self._engine, config, epoch))

    def _level(self, keyframe: Keyframe) -> np.ndarray:
        """S_map_keyframe (4, 4) of the first keyframe, which is upright."""
        S, canonical = np.eye(4), keyframe.canonical
        S[:3, :3], self.levelled_by = self.parts.leveller(canonical.points, canonical.confidence)
        return S

    def _join(self, step: Step) -> None:
        """A further camera enters the map of the first one."""
        step.state, owner = Tracking.INITIALISING, self.streams.get(self._owner or "")
        last = None if owner is None else self._last.get(owner.name)
        with step.watch.stage("join"):
            joined = join(step, self._owner, owner, last, self.world, self._number)
        if not isinstance(joined, str):
            return self._found(step, *joined)
        step.reason = joined

    def _follow(self, step: Step, keyframe: Keyframe) -> None:
        """Track against the current keyframe, or find out where else the frame is."""
        with step.watch.stage("decode"):
            seen = self._company.look(step, keyframe, self.world.window, self.world.graph)
        step.view = step.stream.learn(step.view, step.features, seen, keyframe)
        with step.watch.stage("track"):
            start = start_of(step, self._last.get(step.stream.name), self.gyroscope)
            found = self._tracked(seen, step.view, keyframe, start)
        if isinstance(found, Track):
            far = leapt(found, self._last.get(step.stream.name), self._config.keyframes)
            if not (far and self._rescue(step, keyframe)):
                self._advance(step, keyframe, seen, found)
        elif not (self._stand(step, keyframe) or self._rescue(step, keyframe)) and step.held:
            step.reason = found
        elif step.state is not Tracking.TRACKING:
            recent = [keyframe.id for keyframe in self.world.window][-_RECENT:][::-1]
            self._look_for(step, recent, found)

    def _tracked(
        self, seen: Observation, view: View, keyframe: Keyframe, start: np.ndarray | None
    ) -> Track | str:
        found = track(seen, view, keyframe, start, self._config.tracking, self.parts.rigid)
        sure = isinstance(found, str) or start is not None or self.world.loops.believes(found)
        return found if sure else f"what looks like keyframe {keyframe.id} may be another place"

    def _advance(self, step: Step, keyframe: Keyframe, seen: Observation, found: Track) -> None:
        """The frame is placed: fuse it, and see whether it should be a keyframe."""
        step.find_motion(keyframe, found, self.world.graph)
        with step.watch.stage("fuse"):
            around = self.world.window, self.world.graph
            self._company.fold(step, keyframe, seen, found, *around)
        step.stream.consistency.add(keyframe.id, found.difference)
        self._found(step, keyframe, seen, found)
        if step.leaving or left(found, self._config.keyframes, step):
            with step.watch.stage("keyframe"):
                self._change_keyframe(step, keyframe, seen, found)
        learns = step.learns_from(keyframe, self._engine) and not step.view.calibrated
        if learns and found.parallax > WIDE:
            learn_from_pair(step.stream.lens, step.features, keyframe, seen, self.world.window)

    def _stand(self, step: Step, keyframe: Keyframe) -> bool:
        """Let a frame be a keyframe whose place only tracking knows."""
        with step.watch.stage("stand"):
            made = standing_by_tracking(step, keyframe, self.world)
        if made is not None:
            if step.owner:
                self.odometry.hand_over(made.id, np.eye(4), step.stream.T_keyframe_frame, np.eye(4))
            step.made_keyframe(made.id)
            self._last.pop(step.stream.name, None)
            self._found(step, made, own_maps(made), None)
        return made is not None

    def _rescue(self, step: Step, keyframe: Keyframe) -> bool:
        """Where the frame before could still be placed, let it be the keyframe, after the fact."""
        last = self._last.pop(step.stream.name, None)
        if last is None or last.seen is None or last.found is None or last.is_source_of(keyframe):
            return False
        with step.watch.stage("rescue"):
            self._change_keyframe(last, keyframe, last.seen, last.found)
            assert step.stream.keyframe_id is not None
            late = self.world.window.use(step.stream.keyframe_id)
            seen = observe(self._engine, [(step.features, late.features)], normals=True)[0]
            found = self._tracked(seen, step.view, late, step.stream.T_keyframe_frame)
        step.keyframe_made = True
        if isinstance(found, str):
            return False
        self._advance(step, late, seen, found)
        return True

    def _look_for(self, step: Step, recent: list[int], reason: str) -> None:
        """Look for a frame among all keyframes; where it is nowhere, another piece may begin."""
        stream, world = step.stream, self.world
        stream.lost += 1
        among = (lambda _: True) if step.owner else world.beside(stream.keyframe_id or 0)
        with step.watch.stage("relocalise"):
            known = step.features, step.view, recent, among
            place = world.loops.relocalise(*known, hurried=step.begin_with is not None)
            searching = place is None and step.owner
            first = self._beginner.offer(step, world.next_id) if searching else reason
        if place is not None:
            return self._found(step, world.bring_back(place[0]), place[2], place[1])
        if not isinstance(first, str):
            S = believed_place(first.keyframe, stream, world)
            return self._begin(step, first, self._level(first.keyframe) if S is None else S)
        self._lost += 1
        just = stream.lost == 1 and stream.keyframe_id is not None
        step.state, step.reason = Tracking.LOST if just else Tracking.RELOCALISING, reason

    def _found(
        self, step: Step, keyframe: Keyframe, seen: Observation, found: Track | None
    ) -> None:
        """The frame has a place at a keyframe, or is it where it was tracked against nothing."""
        step.saw(seen, found)
        step.stream.lost = 0
        step.stream.move_to(keyframe.id, np.eye(4) if found is None else found.T_keyframe_frame)
        if found is not None:
            self._last[step.stream.name] = step
            step.find_motion(keyframe, found, self.world.graph)
        if step.owner:
            self._beginner.found()
            if self.odometry.keyframe_id is None:
                self.odometry.begin(keyframe.id, self.world.pose(keyframe.id))
            go_on(self.odometry, self.world, step, keyframe)
            for name in leave_behind(self.streams, step.stream, self.world):
                self._last.pop(name, None)
        self.history.remember(step, keyframe, self.odometry.epoch)
        self._correct()

    def _change_keyframe(
        self, step: Step, keyframe: Keyframe, seen: Observation, found: Track
    ) -> None:
        """Take up an older keyframe that sees the same, or make a new one."""
        world, T = self.world, found.T_keyframe_frame
        made = self.parts.maker.from_track(
            world.next_id, step.features, step.view, seen, found, keyframe
        )
        fill(step, made, np.linalg.inv(T), self._engine, self.parts.maker)
        older = world.older(made, world.pose(keyframe.id) @ T, but=keyframe)
        if older is None or not self._take_up(step, keyframe, older, T):
            forth = tracked_link(found, seen.pixels is not None, keyframe, made, self.parts.rigid)
            world.grow(made, keyframe, forth, self._company.links(step, made, world.window))
            if step.owner:
                self.odometry.hand_over(made.id, np.eye(4), T, np.eye(4))
            self.history.became(step, made.id)
            if step.learns_from(keyframe, self._engine) and step.view.calibrated:
                pair, lens = (step.features, keyframe), step.stream.lens
                world.background.add(learn_from_last_pair(self._engine, lens, *pair, world.window))
            step.made_keyframe(made.id)
        self._correct()

    def _take_up(
        self, step: Step, keyframe: Keyframe, older: Keyframe, T_keyframe_frame: np.ndarray
    ) -> bool:
        """Go on from an older keyframe if the frame can be placed there with some reserve."""
        S_older_keyframe = self.world.graph.relative(older.id, keyframe.id)
        known = step, older, S_older_keyframe @ T_keyframe_frame
        T = placed_at_older(*known, self._engine, self._tracked, self._config)
        if T is None:
            return False
        if step.owner:
            self.odometry.hand_over(older.id, np.linalg.inv(S_older_keyframe), T_keyframe_frame, T)
        step.stream.move_to(self.world.window.use(older.id).id, T)
        self._last.pop(step.stream.name, None)
        return True

    def _correct(self) -> None:
        """Let `map` to `odom` follow the graph."""
        owner = self.streams.get(self._owner or "")
        if owner is not None and owner.keyframe_id is not None:
            self.odometry.correct(self.world.pose(owner.keyframe_id), owner.T_keyframe_frame)
