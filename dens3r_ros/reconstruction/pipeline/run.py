# SPDX-License-Identifier: Apache-2.0
"""A whole reconstruction: images to a map, the map bettered, everything written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from typing import Any

from dens3r_ros.engines.moving.pairs import TooFewImages
from dens3r_ros.engines.protocol import Engine
from dens3r_ros.imu import ImuRecording
from dens3r_ros.mapping.files.map_file import write_map
from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles
from dens3r_ros.reconstruction.kept.mapped import Mapped, RunTally
from dens3r_ros.reconstruction.kept.pair_tracks import TrackStore
from dens3r_ros.reconstruction.outputs.frame_maps import FrameMapsKeeper
from dens3r_ros.reconstruction.outputs.scene import Scene
from dens3r_ros.reconstruction.pipeline.checkpoint import Checkpoints
from dens3r_ros.reconstruction.pipeline.collection.photos import (
    PhotoModel,
    PhotoRun,
    PhotosUnaligned,
)
from dens3r_ros.reconstruction.pipeline.folders import Folders
from dens3r_ros.reconstruction.pipeline.mapping_run import MappingRun, RunWatcher
from dens3r_ros.reconstruction.pipeline.moving import FirstPass, StoppedLooking
from dens3r_ros.reconstruction.pipeline.options import Options
from dens3r_ros.reconstruction.pipeline.reading import Reading, Tell
from dens3r_ros.reconstruction.pipeline.scenes import scene_of
from dens3r_ros.reconstruction.pipeline.stopping import StopRequest
from dens3r_ros.reconstruction.pipeline.writing import Product, Writing, Written
from dens3r_ros.reconstruction.refinement.refining import Refined, refine
from dens3r_ros.sources.inputs import Input

Following = Callable[[str, float | None], AbstractContextManager[Tell]]
"""Opens the progress of one stage, given its name and how much there is to do."""


class NothingMapped(RuntimeError):
    """No image found a place; the message says what was seen."""


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """What a reconstruction made: the scene, what was counted, and the files."""

    scene: Scene
    tally: RunTally
    written: Written


class Reconstruction:
    """One run, from its inputs to its files."""

    def __init__(
        self,
        inputs: Sequence[Input],
        engine: Engine,
        options: Options,
        following: Following,
        stop: StopRequest | None = None,
        watchers: tuple[RunWatcher, ...] = (),
        settings: dict[str, Any] | None = None,
    ) -> None:
        self._inputs, self._engine, self._options = inputs, engine, options
        self._following, self._stop = following, stop or StopRequest()
        self._settings = settings or {}
        self._folders = Folders(options.out)
        self._folders.begin(options.resume)
        self.files = KeyframeFiles(self._folders.images, self._folders.keyframe_maps)
        alone = options.live or options.mode == "photos"
        self._tracks = None if alone else TrackStore(self._folders.tracks)
        asked = options.asked
        self._frame_maps = None
        if asked.depth or asked.normals:
            folder, least = self._folders.frame_maps, options.least_confidence
            self._frame_maps = FrameMapsKeeper(folder, least)
            watchers = (*watchers, self._frame_maps)
        self._watchers = watchers

    def run(self) -> FinishedRun:
        """Do it all; NothingMapped where no image found a place."""
        if self._options.mode == "photos":
            return self._run_photos()
        mapped = self._map()
        points = refined = None
        if self._tracks is not None and not self._stop.refining:
            refined = self._refine(mapped, self._tracks)
            mapped, points = refined.mapped, refined.points
        scene = scene_of(mapped, self.files, self._options.least_confidence).with_points(points)
        product = Product(scene, mapped, refined, self._frame_maps, self._settings)
        written = self._write(product, self._options)
        self._folders.end()
        return FinishedRun(scene, mapped.tally, written)

    def _write(self, product: Product, options: Options) -> Written:
        write_map(options.out / "scene.map", product.mapped.saved)
        return Writing(product, options, self._following).all()

    def _run_photos(self) -> FinishedRun:
        """One folder of results for each group of photos that show the same."""
        models = self._map_set()
        finished = []
        for model in models:
            scene = scene_of(model.mapped, model.files, self._options.least_confidence)
            scene = scene.with_points(model.points)
            product = Product(scene, model.mapped, None, None, self._settings)
            options = replace(self._options, out=model.folders.out)
            written = self._write(product, options)
            finished.append(FinishedRun(scene, model.mapped.tally, written))
        for number, one in enumerate(finished[1:]):
            count = f"{len(one.scene.keyframes)} photos of another place"
            finished[0].written.files[f"model_{number + 2}"] = count
        for model in models:
            model.folders.end()
        return finished[0]

    def _map(self) -> Mapped:
        tally, checkpoints = RunTally(), Checkpoints(self._folders.work)
        tally.notes += [f"{one.name}: {note}" for one in self._inputs for note in one.notes]
        run = MappingRun(
            self._told_what_moves(tally),
            self._options.mapper,
            self.files,
            self._tracks,
            tally,
            self._watchers,
            _imu_of(self._inputs),
        )
        with run.mapper:
            progress = checkpoints.resume(run, self._asked())
            reading = Reading(self._inputs, run, self._options.picks, checkpoints, progress)
            with self._following("mapping", None) as tell:
                reading.all(self._stop, tell)
                mapped = run.finish(as_node=self._options.live)
        if not mapped.poses:
            raise NothingMapped(_why_nothing(run.tally))
        if any(one.rough_lens for one in self._inputs):
            # A maker's figure was good enough to map with; refinement finds the rest.
            return replace(mapped, estimated=frozenset(mapped.intrinsics))
        return mapped

    def _told_what_moves(self, tally: RunTally) -> Engine:
        """The engine, which leaves out what a first pass found to move, if that was asked for."""
        if self._options.moving == "off":
            return self._engine
        first = FirstPass(self._inputs, self._options, self._stop, self._folders.moving)
        try:
            with self._following("what moves", None) as tell:
                return first.second(self._engine, tally, tell)
        except (StoppedLooking, TooFewImages) as error:
            raise NothingMapped(str(error)) from error

    def _map_set(self) -> list[PhotoModel]:
        tally = RunTally()
        tally.notes += [f"{one.name}: {note}" for one in self._inputs for note in one.notes]
        run = PhotoRun(
            self._inputs, self._engine, self._options, self._following, self._stop, tally
        )
        try:
            return run.maps()
        except PhotosUnaligned as error:
            raise NothingMapped(str(error)) from error

    def _refine(self, mapped: Mapped, tracks: TrackStore) -> Refined:
        began = time.monotonic()
        self.files = self.files.changing_in(self._folders.refined_maps)
        with self._following("refining", None) as tell:
            refined = refine(mapped, self.files, tracks, tell, lambda: self._stop.refining)
        mapped.tally.spend("refining", time.monotonic() - began)
        return refined

    def _asked(self) -> dict[str, Any]:
        """What must be the same when a run goes on."""
        names = [one.name for one in self._inputs]
        info = self._engine.info
        return {
            "input": names,
            "engine": info.name,
            "model": f"{info.model} {info.image_size}",
            "picks": asdict(self._options.picks),
            "moving": self._options.moving,
        }


def _imu_of(inputs: Sequence[Input]) -> ImuRecording | None:
    """What an inertial sensor read along the only input; stamps of several are moved."""
    return getattr(inputs[0], "imu", None) if len(inputs) == 1 else None


def _why_nothing(tally: RunTally) -> str:
    if not tally.taken:
        why = next(iter(tally.dropped), "the input gave none")
        return f"no image could be read: {why}"
    usual = "the camera has to move, not only to turn, at the beginning"
    reason = max(tally.lost, key=lambda reason: tally.lost[reason], default=usual)
    return f"none of {tally.taken} images found a place: {reason}"
