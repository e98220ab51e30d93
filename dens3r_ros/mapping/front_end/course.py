# SPDX-License-Identifier: Apache-2.0
"""One camera between decodings: what it is tracked against, and where it is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.front_end.corners.corner_tracks import CornerTracks, FollowedCorners
from dens3r_ros.mapping.front_end.corners.first_pair import FirstPair
from dens3r_ros.mapping.front_end.fast_tracker import Placed, by_turn, place
from dens3r_ros.mapping.front_end.late import CATCHING_UP, LateFrames, placed_late
from dens3r_ros.mapping.front_end.motion import Motion, turned_view
from dens3r_ros.mapping.front_end.recent import RecentFrames
from dens3r_ros.mapping.inertial.gyroscope import Gyroscope, turned_on
from dens3r_ros.mapping.motion.watch import MotionWatch
from dens3r_ros.mapping.reference import Reference
from dens3r_ros.mapping.tracking.agreement import swing

_BRIDGED = 8
"""Frames in a row that may be placed by their turn alone."""
_FELT_NS = 1_000_000_000
"""Nanoseconds for which they may where a gyroscope tells how they turned."""
_LITTLE = 0.5
"""Share of its keyframe's landmarks below which a frame sees little of it."""
_APART = 0.05
"""Radians by which tracking and decoding may differ about a view before tracking is corrected."""
_NEAR = 0.1
"""Radians by which the view may have swung since the last place for a camera that was lost to be
believed again before a decoding has found it."""
_KEPT = 30
"""Frames without a place that are kept, to be placed once it is known where they were."""


@dataclass(eq=False)
class Course:
    """A camera's way, frame by frame."""

    owner: bool
    """Whether its camera owns `odom`."""
    config: TrackingConfig
    gyroscope: Gyroscope | None = None
    watch: MotionWatch | None = None
    """Tells what moves in its frames, where that is asked for."""
    pair: FirstPair | None = None
    """Tells with which frames a map could begin, for engines that need two."""
    first: Frame | None = None
    """An earlier frame with which the latest could begin one."""
    reference: Reference | None = None
    motion: Motion = field(default_factory=Motion)
    corners: CornerTracks = field(default_factory=CornerTracks)
    recent: RecentFrames = field(default_factory=RecentFrames)
    lost: int = 0
    """Frames since it was placed last."""
    unsure: bool = False
    """Whether it was lost since a decoding found it last: what looks like its keyframe may be
    another place."""
    bridged: int = 0
    """Frames since it was placed by points last."""
    seen: int = 0
    """Stamp of the frame that was placed by points last."""
    matched: float = 1.0
    """Share of the keyframe's landmarks that was found last, and how much less than before."""
    faded: float = 0.0
    number: int = 0
    """Of the last frame, all cameras counted together."""
    decoded: int = 0
    """The same of the last one that was decoded."""
    wants: bool = False
    """Whether the last frame was worth decoding."""
    _changed: tuple[int, int, np.ndarray] | None = None
    """Keyframes new and old, and S_new_old, since motion was looked for last."""
    _seen: FollowedCorners | None = None
    """What the latest frame shows of the corners."""
    unplaced: deque[Frame] = field(default_factory=lambda: deque(maxlen=_KEPT))
    late: LateFrames = field(default_factory=LateFrames)

    def place(self, frame: Frame) -> Placed | str:
        """Find the frame's place; a reason where that cannot be done."""
        self.late.look_back()
        known = 0 if self.reference is None else self.reference.keyframe_id
        found = self.late.in_turn(frame, known, self._tried, self._stand)
        if isinstance(found, Placed):
            self.lost, self.bridged = 0, found.bridged
            self.seen = self.seen if found.bridged else frame.stamp
            self.faded, self.matched = self.matched - found.matched, found.matched
            self._stand(frame, found)
            self.unplaced.clear()
            self.first = None
            if self.pair is not None:
                self.pair.forget()
        elif not self.late.waiting or found != CATCHING_UP:
            self.lose()
            self.unplaced.extend(one for one in self.late.drop() if one is not frame)
            self.unplaced.append(frame)
            self.first = None if self.pair is None else self.pair.take(frame)
        return found

    def finish(self) -> None:
        """Place all that wait."""
        if self.late.waiting:
            self.place(self.late.drop()[-1])
        while self.late.look_back():
            pass

    def beside(self, frame: Frame, found: Placed) -> tuple[Frame, np.ndarray] | None:
        """An image taken shortly before, and its T_keyframe_frame, that shows the depth of a frame
        which sees little of its keyframe."""
        if found.bridged or found.matched > _LITTLE or not len(found.found):
            return None
        return self.recent.beside(frame, found.T_keyframe_frame, found.found.depth)

    def with_motion(self, frame: Frame, found: Placed) -> Placed:
        """A frame's place, and what moves in the frame."""
        reference = self.reference
        if self.watch is None or reference is None or reference.base is None or found.bridged:
            return found
        seen = (found.found.grey, reference.sight.camera, reference.base)
        T = found.T_keyframe_frame
        return replace(found, moving=self.watch.look(*seen, T, frame.stamp, self._between))

    def _between(self, new: int, old: int) -> np.ndarray | None:
        """S_new_old of the keyframes before and after the last change, if they are these."""
        known, self._changed = self._changed, None
        return None if known is None or known[:2] != (new, old) else known[2]

    def forget(self, frame: Frame) -> None:
        """A frame is decoded, and need not wait any more."""
        if frame in self.unplaced:
            self.unplaced.remove(frame)

    def lose(self) -> None:
        """The camera has no place."""
        self.lost += 1
        self.unsure = True
        self.motion.halt()

    def _stand(self, frame: Frame, found: Placed) -> None:
        if self.reference is not None and self._seen is not None:
            camera, T = self.reference.sight.camera, found.T_keyframe_frame
            self.corners.stand(self._seen, camera, T, sure=not found.bridged)
            if not found.bridged:
                self.recent.note(frame, T)
        self.motion.place(frame.stamp, found.T_keyframe_frame, found.found, found.beside)

    def _tried(self, frame: Frame) -> Placed | str:
        reference = self.reference
        if reference is None:
            return "there is no keyframe yet"
        if frame.size != reference.sight.placement.original:
            return "the size of the images has changed"
        grey = reference.grey(frame)
        expected, felt = self._expected(frame.stamp)
        moving = None if self.watch is None else self.watch.expected(frame.stamp, grey)
        found = self._placed(grey, reference, expected, moving)
        if self.unsure:
            return self._believed(found)
        if isinstance(found, Placed) or self.motion.before is None:
            return found
        turn = turned_view(grey, reference, self.motion, expected)
        if turn is not None:
            again = self._placed(grey, reference, turn, moving)
            if isinstance(again, Placed):
                return again
        if felt:
            return self._bridged(grey, reference, expected, frame.stamp) or found
        return found if turn is None else self._bridged(grey, reference, turn) or found

    def _placed(
        self, grey: np.ndarray, reference: Reference, T: np.ndarray, moving: np.ndarray | None
    ) -> Placed | str:
        """A place by points, from where the frame is expected."""
        camera = reference.sight.camera
        self._seen = self.corners.follow(grey, camera, T)
        own = self.corners.sights(self._seen, camera)
        return place(grey, reference, self.motion, T, self.config, moving, own)

    def _expected(self, stamp: int) -> tuple[np.ndarray, bool]:
        """T_keyframe_frame where the camera should be, and whether its turn was felt."""
        expected, motion = self.motion.predicted(stamp), self.motion
        turned = turned_on(self.gyroscope, motion.T_keyframe_frame, motion.stamp, stamp)
        if turned is None:
            return expected, False
        expected = expected.copy()
        expected[:3, :3] = turned[:3, :3]
        return expected, True

    def _believed(self, found: Placed | str) -> Placed | str:
        """A place of a camera that was lost, if it is near the last one."""
        if isinstance(found, str):
            return found
        assert self.reference is not None
        here, last = (
            np.linalg.inv(T) for T in (found.T_keyframe_frame, self.motion.T_keyframe_frame)
        )
        near = swing(here, last, self.reference.landmarks.depth) < _NEAR
        return found if near else "waiting for a decoding that finds the camera"

    def _bridged(
        self, grey: np.ndarray, reference: Reference, T: np.ndarray, felt: int | None = None
    ) -> Placed | None:
        """A place by the turn alone, for a while; `felt` is the stamp where a gyroscope tells."""
        before = self.motion.before
        assert before is not None
        bridged = self.bridged + 1
        late = bridged > _BRIDGED if felt is None else felt - self.seen > _FELT_NS
        if self.lost or late:
            return None
        last = self.motion.T_keyframe_frame
        return by_turn(before.emptied(grey), last, T, reference.landmarks.depth, bridged)

    def go_on(self, reference: Reference, S_new_old: np.ndarray) -> None:
        """Be tracked against something newer; S_new_old (4, 4) takes the old keyframe's points to
        its frame and unit."""
        self.motion.rebase(S_new_old)
        self.corners.rebase(S_new_old)
        self.recent.rebase(S_new_old)
        if self.reference is not None:
            self._note_change(reference.keyframe_id, self.reference.keyframe_id, S_new_old)
        self.reference = reference

    def _note_change(self, new: int, old: int, S_new_old: np.ndarray) -> None:
        """Remember what takes the points of the keyframe that was watched last to the new one's."""
        known = self._changed
        if known is not None and known[0] == old:
            old, S_new_old = known[1], S_new_old @ known[2]
        self._changed = new, old, S_new_old

    def correct(self, T_keyframe_then: np.ndarray) -> None:
        """Where the frame that was decoded last has turned out to be: what came after it goes
        along, unless it agrees by itself."""
        assert self.reference is not None
        found = self.reference.T_keyframe_frame
        depth = self.reference.landmarks.depth
        off = swing(np.linalg.inv(found), np.linalg.inv(T_keyframe_then), depth)
        if self.bridged or off > _APART:
            since = np.linalg.inv(T_keyframe_then) @ self.motion.T_keyframe_frame
            self.motion.T_keyframe_frame = found @ since
            self.corners.rebase(found @ np.linalg.inv(T_keyframe_then))
            self.recent.rebase(found @ np.linalg.inv(T_keyframe_then))

    def stand_there(self, frame: Frame) -> None:
        """The frame was decoded, and is where the reference says."""
        assert self.reference is not None
        grey, T = self.reference.grey(frame), self.reference.T_keyframe_frame
        seen = self.reference.landmarks.emptied(grey)
        camera = self.reference.sight.camera
        self.corners.stand(self.corners.follow(grey, camera, T), camera, T, sure=True)
        self.lost = self.bridged = 0
        self.seen = frame.stamp
        self.unsure = False
        self.motion.place(frame.stamp, T, seen)
        self.unplaced.clear()
        self.late.drop()

    def resume(self, reference: Reference, frame: Frame) -> None:
        """Go on after a loss from a frame that was found again; the frames that lay waiting before
        and after it are placed from there with the next ones, as far as they can be."""
        waiting = sorted(self.unplaced, key=lambda one: one.stamp)
        self.reference = reference
        self.motion, self.corners, self.recent = Motion(), CornerTracks(), RecentFrames()
        self.stand_there(frame)
        past = Course(self.owner, self.config, reference=reference)
        past.stand_there(frame)
        earlier = [one for one in waiting[::-1] if one.stamp < frame.stamp]
        before = placed_late(past.place, reference.keyframe_id, earlier)
        self.late.begin((one for one in waiting if one.stamp > frame.stamp), before)
