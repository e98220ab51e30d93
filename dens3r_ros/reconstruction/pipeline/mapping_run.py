# SPDX-License-Identifier: Apache-2.0
"""Images through the mapper, as the node does it, with what is needed to go on after a break."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.imu import ImuRecording
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.files.map_file import LoadedMap
from dens3r_ros.mapping.inertial.inertial import Inertial
from dens3r_ros.mapping.inertial.recorded import RecordedInertial
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.parts import usual_parts
from dens3r_ros.mapping.update import Tracking, Update
from dens3r_ros.mapping.world import Parts
from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles, WritingArchive
from dens3r_ros.reconstruction.kept.mapped import Mapped, RunTally
from dens3r_ros.reconstruction.kept.pair_tracks import TrackStore
from dens3r_ros.reconstruction.kept.recording import recorded
from dens3r_ros.sources.inputs import Unreadable


class RunWatcher(Protocol):
    """Looks at every frame as it is placed, as a viewer does or what writes depth."""

    def __call__(self, frame: Frame, update: Update, mapper: Mapper) -> None:
        """Look; `mapper` is only read."""
        ...


class MappingRun:
    """One mapper, and the folders in which keyframes and tracks of its map are kept."""

    def __init__(
        self,
        engine: Engine,
        config: MapperConfig,
        files: KeyframeFiles,
        tracks: TrackStore | None,
        tally: RunTally,
        watchers: tuple[RunWatcher, ...] = (),
        imu: ImuRecording | None = None,
    ) -> None:
        self._files, self._tracks, self._watchers = files, tracks, watchers
        self.tally = tally
        self.intrinsics: dict[str, Intrinsics] = {}
        self.estimated: set[str] = set()
        self._begun = False
        self._imu = None if imu is None else RecordedInertial(imu)
        self.mapper = Mapper(
            engine if tracks is None else recorded(engine, tracks.add),
            config,
            self._make_parts,
            None if self._imu is None else self._imu.inertial,
        )

    def _make_parts(self, engine: Engine, config: MapperConfig) -> Parts:
        """Parts of a new map; one that was given up leaves nothing behind."""
        if self._begun:
            self._files.clear()
            if self._tracks is not None:
                self._tracks.clear()
        self._begun = True
        archive = WritingArchive(engine, config.archive, self._files)
        return replace(usual_parts(engine, config), archive=archive)

    def go_on(
        self, loaded: LoadedMap, intrinsics: dict[str, Intrinsics], estimated: set[str]
    ) -> None:
        """Go on in a map that an earlier run left, whose keyframes and tracks are on disk."""
        self._begun = False
        self.mapper.adopt(loaded)
        self.intrinsics, self.estimated = dict(intrinsics), set(estimated)

    def take(self, taken: Frame | Unreadable) -> Update | None:
        """One more image; None where it could not be read."""
        if isinstance(taken, Unreadable):
            self.tally.drop(taken.reason)
            return None
        began = time.monotonic()
        if self._imu is not None:
            self._imu.before(taken.stamp)
        update = self.mapper.step(taken)
        if self._imu is not None:
            self._imu.inertial.learn(update)
        self.tally.spend("mapping", time.monotonic() - began)
        self.tally.taken += 1
        self._count(update)
        if update.intrinsics is not None:
            self.intrinsics[taken.camera] = update.intrinsics
            if update.intrinsics_estimated:
                self.estimated.add(taken.camera)
        for watch in self._watchers:
            watch(taken, update, self.mapper)
        return update

    def _count(self, update: Update) -> None:
        if update.state in (Tracking.LOST, Tracking.RELOCALISING):
            self.tally.lose(update.reason or "lost")
        if update.notice:
            self.tally.notes.append(update.notice)

    def write_keyframes(self) -> None:
        """Put on disk what the window holds, so that the folder is whole."""
        for keyframe in self.mapper.live_keyframes():
            self._files.write(keyframe)
        if self._tracks is not None:
            self._tracks.flush()

    def finish(self, as_node: bool = False) -> Mapped:
        """Do all that waits, unless the map is wanted as a node has it after its last image, and
        give what was made of the images."""
        began = time.monotonic()
        if as_node:
            self.mapper.catch_up()
        else:
            self.mapper.finish()
        self.write_keyframes()
        saved = self.mapper.snapshot()
        self._files.keep_only(set(saved.poses))
        if self._imu is not None:
            self.tally.notes.append(_told(self._imu.inertial))
        self.tally.spend("mapping", time.monotonic() - began)
        return Mapped(saved, dict(self.intrinsics), frozenset(self.estimated), self.tally)


def _told(inertial: Inertial) -> str:
    """What the inertial sensor says of the map's unit."""
    if inertial.scale is None or inertial.fault:
        return inertial.progress()
    return (
        f"by the inertial sensor a unit of the camera's way was {inertial.scale:.4g} m at the end, "
        f"give or take {inertial.sigma:.1%}; lengths are left in the map's unit"
    )


def timed(
    frames: Iterator[tuple[int, Frame | Unreadable]], spend: Callable[[str, float], None]
) -> Iterator[tuple[int, Frame | Unreadable]]:
    """The same, noting how long reading takes."""
    while True:
        began = time.monotonic()
        taken = next(frames, None)
        spend("reading", time.monotonic() - began)
        if taken is None:
            return
        yield taken
