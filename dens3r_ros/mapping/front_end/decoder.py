# SPDX-License-Identifier: Apache-2.0
"""Decodings on a thread of their own, beside the tracking that goes on meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from dens3r_ros.engines.protocol import EngineAway, HurriedEngine
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.graph.felt import FeltWay
from dens3r_ros.mapping.graph.graph import rigid
from dens3r_ros.mapping.history.record import Record
from dens3r_ros.mapping.reference import Reference, reference_of
from dens3r_ros.mapping.session import MappingSession
from dens3r_ros.mapping.step import ByTracking
from dens3r_ros.mapping.update import Update

R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Earlier:
    """A frame that was placed well, and its record."""

    frame: Frame
    record: Record


@dataclass(frozen=True, eq=False)
class Beside(Earlier):
    """A frame that shows the depth of another one which sees little of its keyframe, and how sure
    tracking is of that one's place, covariance (6, 6)."""

    covariance: np.ndarray


@dataclass(frozen=True, eq=False)
class DecodingRequest:
    """A frame to decode, and its record if it was tracked; `earlier`: the last frame that was
    placed well, if this one was not; the frames that were placed since the last decoding; keyframes
    that cameras are tracked against meanwhile; whether too little of the camera's own is seen; what
    moves in the frame (h, w), where that is known; one beside it that shows its
    depth, where it sees little of its keyframe; an earlier one with which a map could begin."""

    frame: Frame
    record: Record | None
    earlier: Earlier | None
    placed: Sequence[Record]
    held: frozenset[int]
    leaving: bool = False
    moving: np.ndarray | None = None
    felt: FeltWay | None = None
    """What was felt of keyframes so far."""
    beside: Beside | None = None
    first: Frame | None = None
    hurried: bool = False
    """Whether a rough answer soon is worth more than an exact one."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """What a decoding brought: the session's own update; per camera what it is tracked against
    from here on; every keyframe's S_map_keyframe, and its piece of the map."""

    update: Update
    references: Mapping[str, Reference | None]
    S_map: Mapping[int, np.ndarray]
    pieces: Mapping[int, int]
    seconds: float
    hurried: bool = False


class DecodingThread:
    """Works on one session, one thing after the other; nobody else may touch it meanwhile.

    Engines leave the interpreter to others while they compute, so that a thread is enough.
    """

    def __init__(self, session: MappingSession) -> None:
        self._session = session
        self._thread = ThreadPoolExecutor(1, "dens3r-decoder", self._remember)
        self._ident: int | None = None
        self._closed = False
        self._asked: Future[Decoded] | None = None
        self._after: Future[None] | None = None
        self._failed: Exception | None = None

    @property
    def here(self) -> bool:
        """Whether this is its own thread."""
        return threading.get_ident() == self._ident

    @property
    def waiting(self) -> bool:
        """Whether an answer was asked for and not yet taken."""
        return self._asked is not None

    @property
    def ready(self) -> bool:
        """Whether that answer is there."""
        return self._asked is not None and self._asked.done()

    @property
    def idle(self) -> bool:
        """Whether it could begin at once."""
        return self._asked is None and (self._after is None or self._after.done())

    def ask(self, request: DecodingRequest) -> None:
        """Begin a decoding; what a new keyframe brings is worked on after its answer."""
        self._asked = self._thread.submit(self._decode, request)
        self._after = self._thread.submit(self._catch_up)

    def take(self) -> Decoded:
        """The answer that was asked for; waits for it."""
        assert self._asked is not None
        asked, self._asked = self._asked, None
        return asked.result()

    def aside(self, function: Callable[[], R]) -> Future[R]:
        """Run something on the session between decodings; at once where that is now."""
        if not self._closed and not self.here:
            return self._thread.submit(function)
        future: Future[R] = Future()
        future.set_result(function())
        return future

    def close(self) -> None:
        """End the thread after what is under way."""
        self._thread.shutdown()
        self._closed = True

    def _catch_up(self) -> None:
        """What the answer left to do. Nobody waits for it: its error is the next decoding's."""
        try:
            self._session.catch_up()
        except EngineAway:
            return  # the work goes on once the engine answers again
        except Exception as error:
            self._failed = error
        finally:
            self._hurry(False)

    def _hurry(self, hurried: bool) -> None:
        """Until what the answer left to do is done: who asks aside is not in a hurry."""
        engine = self._session.parts.engine
        if isinstance(engine, HurriedEngine):
            engine.hurried = hurried

    def _remember(self) -> None:
        self._ident = threading.get_ident()

    def _decode(self, request: DecodingRequest) -> Decoded:
        began, session = time.perf_counter(), self._session
        session.held, session.begin_with = request.held, request.first
        self._hurry(request.hurried)
        session.world.records.extend(request.placed)
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed
        session.world.hear(request.felt)
        update = self._taken(request)
        references = self._references()
        graph, seconds = session.world.graph, time.perf_counter() - began
        standing = references, dict(graph.poses), graph.pieces.names()
        return Decoded(update, *standing, seconds, request.hurried)

    def _references(self) -> dict[str, Reference | None]:
        """By camera, what its frames are tracked against until the next decoding."""
        world = self._session.world
        least = world.parts.config.tracking.min_confidence
        streams = self._session.streams.items()
        return {name: reference_of(stream, world, least) for name, stream in streams}

    def _taken(self, request: DecodingRequest) -> Update:
        """The session's answer; where it finds nothing, the frame before may be the keyframe that
        leads on."""
        take, earlier = self._session.take, request.earlier
        try:
            expected = self._expected(request.record)
            known = self._by_tracking(request)
            update = take(request.frame, expected, request.leaving, request.moving, known)
        except EngineAway:
            if earlier is not None:
                self._session.world.records.append(earlier.record)
            raise
        if earlier is None:
            return update
        if update.T_map_camera is not None:
            self._session.world.records.append(earlier.record)
            return update
        if take(earlier.frame, self._expected(earlier.record)).T_map_camera is None:
            self._session.world.records.append(earlier.record)
            return update
        return take(request.frame, self._expected(request.record), motion=request.moving)

    def _by_tracking(self, request: DecodingRequest) -> ByTracking | None:
        """What tracking knows, relative to the keyframe that the frame's camera stands by now."""
        beside = request.beside
        T = None if beside is None else self._expected(beside.record)
        if beside is None or T is None:
            return None
        return ByTracking(beside.covariance, beside.frame, T)

    def _expected(self, record: Record | None) -> np.ndarray | None:
        """A frame's pose, if known, relative to the keyframe that its camera stands by now."""
        stream = None if record is None else self._session.streams.get(record.camera)
        if record is None or stream is None or stream.keyframe_id is None:
            return None
        graph = self._session.world.graph
        if not graph.pieces.together(stream.keyframe_id, record.keyframe_id):
            return None
        S = graph.relative(stream.keyframe_id, record.keyframe_id)
        return rigid(S @ record.T_keyframe_frame)
