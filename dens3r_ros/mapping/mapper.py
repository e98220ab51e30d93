# SPDX-License-Identifier: Apache-2.0
"""The whole interface of mapping: a frame in, an update out."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import numpy as np

from dens3r_ros.engines.protocol import Engine, RememberingEngine
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.files.map_file import LoadedMap, SavedMap, write_map
from dens3r_ros.mapping.files.map_reading import read_map
from dens3r_ros.mapping.files.map_target import check_target
from dens3r_ros.mapping.files.saving import restored, to_save
from dens3r_ros.mapping.front_end.front_end import FrontEnd
from dens3r_ros.mapping.graph.graph import Edge
from dens3r_ros.mapping.inertial.gyroscope import FeelsMetres, Gyroscope, felt_by
from dens3r_ros.mapping.localising.opinions import Located
from dens3r_ros.mapping.localising.placer import Placer
from dens3r_ros.mapping.parts import usual_parts
from dens3r_ros.mapping.places.in_steps import done_at_once, next_step
from dens3r_ros.mapping.reporting import keyframe_view
from dens3r_ros.mapping.session import MappingSession
from dens3r_ros.mapping.streams.odometry import Odometry
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.update import KeyframeView, TimedPose, Update
from dens3r_ros.mapping.world import Parts

R = TypeVar("R")


class Mapper:
    """Builds one consistent world from the frames of one or several cameras.

    `make_parts` makes the parts of every new map; see `interfaces` for those that can be swapped.
    `gyroscope` tells how the camera that owns `odom` turned between frames.
    """

    def __init__(
        self,
        engine: Engine,
        config: MapperConfig | None = None,
        make_parts: Callable[[Engine, MapperConfig], Parts] = usual_parts,
        gyroscope: Gyroscope | None = None,
    ) -> None:
        self.engine = engine
        self.config = config or MapperConfig()
        self._make_parts = make_parts
        self._gyroscope = gyroscope
        self._front: FrontEnd | None = None
        self._begin(MappingSession(make_parts(engine, self.config), epoch=0), why="the first one")
        self.metric = self._session.parts.metric

    def step(self, frame: Frame) -> Update:
        """Take one frame in; frames of one camera come in the order of their stamps."""
        if isinstance(self._gyroscope, FeelsMetres):
            self._gyroscope.see(frame)
        if self._front is not None:
            return self._front.step(frame)
        self._session.world.hear(felt_by(self._gyroscope))
        return self._session.take(frame)

    def catch_up(self) -> None:
        """Do now what the latest frame left for the next `step` to begin with: keyframes are tied
        to their neighbours between frames. Whether it is called changes no result."""
        if self._front is None:
            self._session.catch_up()

    def trajectory(self) -> list[TimedPose]:
        """The corrected pose of every frame that has one, in the order of their stamps."""
        world = self._quiet().world
        return world.records.placed(world.graph.poses)

    def keyframes(self) -> list[KeyframeView]:
        """Every keyframe, archived ones included, oldest first."""
        session = self._quiet()
        world, archive = session.world, session.parts.archive
        views = [keyframe_view(keyframe, keyframe.id, world.graph) for keyframe in world.window]
        views += [keyframe_view(archive.shown(i), i, world.graph) for i in archive]
        return sorted(views, key=lambda view: view.id)

    def live_keyframes(self) -> list[Keyframe]:
        """Those of the window, whole, as they are between two frames: not to be changed."""
        return list(self._quiet().world.window)

    @property
    def piece(self) -> int | None:
        """The piece of the map that the camera that owns `odom` is in, or was in last; keyframes of
        others do not line up with its. None before there is a map, or a place in a loaded one."""
        session = self._quiet()
        here = session.odometry.keyframe_id
        return None if here is None else session.world.graph.pieces[here]

    def keyframe_poses(self) -> dict[int, np.ndarray]:
        """S_map_keyframe (4, 4) of every keyframe: its pose and the length of its unit."""
        return dict(self._quiet().world.graph.poses)

    def loops(self) -> list[Edge]:
        """Every loop that was closed, each direction for itself."""
        return [edge for edge in self._quiet().world.graph.edges if edge.loop]

    def finish(self) -> None:
        """Do all work that waits, wait for the solves that are under way, and follow them."""
        if self._front is not None:
            self._front.finish()
        else:
            self._session.finish()

    def place(self, photo: Frame) -> Located | str:
        """Where an image of whatever camera was taken, or why that is not known; neither the map
        nor tracking is changed. The map's own unit."""
        return done_at_once(self.placing(photo))

    def placing(self, photo: Frame) -> Generator[None, None, Located | str]:
        """The same in steps, between which frames may be taken in."""
        session = self._quiet()
        if not session.world.next_id:
            return "the map is empty: nothing is to be found in it yet"
        steps = Placer(session.world, session.streams).placing(photo)
        while (found := next_step(steps)) is None:
            yield
            if self._quiet() is not session:
                return "another map has begun meanwhile: ask again"
        return found

    def reset(self, why: str = "the map was reset") -> None:
        """Forget the map and begin a new epoch; `why` is told by `why_epoch`."""
        epoch = self.epoch + 1
        self.close()
        parts = self._make_parts(self.engine, self.config)
        self._begin(MappingSession(parts, epoch), why=why)

    def _begin(self, session: MappingSession, why: str) -> None:
        if isinstance(self.engine, RememberingEngine):
            self.engine.forget()
        self._session = session
        session.gyroscope = self._gyroscope
        if isinstance(self._gyroscope, FeelsMetres):
            self._gyroscope.steers = not session.parts.rigid
        every = self.config.decoding.every
        self._front = None if every == 1 else FrontEnd(session, self._gyroscope)
        self._begun = session.odometry.epoch, why

    def _quiet(self) -> MappingSession:
        """The session, once nothing is under way in it, with all frames so far."""
        if self._front is not None:
            self._front.aside(lambda: None).result()
        return self._session

    def between(self, function: Callable[[], R]) -> Future[R]:
        """Run something that reads or saves the map as soon as no decoding is under way, without
        keeping the next frames waiting where they are tracked beside it."""
        if self._front is not None:
            return self._front.aside(function)
        future: Future[R] = Future()
        try:
            future.set_result(function())
        except Exception as error:
            future.set_exception(error)
        return future

    @property
    def epoch(self) -> int:
        """That of the next frame's update, unless the map's scale jumps before or the camera begins
        another piece of it."""
        return self._odometry.epoch

    @property
    def _odometry(self) -> Odometry:
        return self._session.odometry if self._front is None else self._front.odometry

    @property
    def why_epoch(self) -> str:
        """Why the present epoch began."""
        begun, why = self._begun
        return why if begun == self.epoch else self._odometry.why_epoch

    @property
    def levelled_by(self) -> str:
        """What made z point up: "base", "floor" or "camera"; empty before it is known."""
        return self._session.levelled_by

    def save(self, path: Path) -> int:
        """Write the map to one file; its keyframes. OSError or ValueError where that cannot be
        done, or would replace something else."""
        snapshot = self.snapshot()
        check_target(path, snapshot)
        return write_map(path, snapshot)

    def snapshot(self) -> SavedMap:
        """The map as it stands, to be written by any thread; later frames do not change it."""
        return to_save(self._quiet())

    def load(self, path: Path) -> int:
        """Begin a new epoch in the map of a file, in which the first frames find their place; its
        keyframes. OSError or ValueError, and the map as it was, where that cannot be done."""
        return self.adopt(read_map(path))

    def adopt(self, loaded: LoadedMap) -> int:
        """The same with a map that was read already; ValueError where the engine cannot use it."""
        parts = self._make_parts(self.engine, self.config)
        session = restored(loaded, parts, self.epoch + 1)
        self.close()
        self._begin(session, why=f"the map of {loaded.path} was loaded")
        return len(loaded.keyframes)

    def close(self) -> None:
        """End threads and processes; the mapper can still be read."""
        if self._front is not None:
            self._front.close()
        self._session.world.backend.close()

    def __enter__(self) -> Mapper:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
