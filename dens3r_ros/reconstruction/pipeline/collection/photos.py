# SPDX-License-Identifier: Apache-2.0
"""Photos in any order to maps: one for each group of photos that show the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import numpy as np

from dens3r_ros.engines.protocol import Engine, Features, Outputs
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.places.place_descriptor import (
    PlaceDescriptor,
    describe,
    shipped_vocabulary,
)
from dens3r_ros.mapping.tracking.cameras import at_input
from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles
from dens3r_ros.reconstruction.kept.mapped import Mapped, RunTally
from dens3r_ros.reconstruction.outputs.scene import ScenePoints
from dens3r_ros.reconstruction.photos.album import Album
from dens3r_ros.reconstruction.photos.collecting import collected
from dens3r_ros.reconstruction.photos.comparing import (
    ByKeypoints,
    ByPointmaps,
)
from dens3r_ros.reconstruction.photos.dense import Maps, fused
from dens3r_ros.reconstruction.photos.network_retrieval import network_retrieval
from dens3r_ros.reconstruction.photos.pair_files import PairFiles
from dens3r_ros.reconstruction.photos.pair_maps import PairMapFiles
from dens3r_ros.reconstruction.photos.recent import Recent
from dens3r_ros.reconstruction.photos.retrieval import likeness
from dens3r_ros.reconstruction.pipeline.collection.aligned_map import AlignedPhotos, mapped_photos
from dens3r_ros.reconstruction.pipeline.collection.photo_points import scene_points
from dens3r_ros.reconstruction.pipeline.folders import Folders
from dens3r_ros.reconstruction.pipeline.options import Options
from dens3r_ros.reconstruction.pipeline.reading import Tell
from dens3r_ros.reconstruction.pipeline.stopping import StopRequest
from dens3r_ros.reconstruction.pipeline.taking import Picker
from dens3r_ros.reconstruction.sparse.measured import Collection
from dens3r_ros.reconstruction.sparse.models import Model, models_of
from dens3r_ros.reconstruction.sparse.tracks import tracks_of
from dens3r_ros.sources.inputs import Input, Unreadable
from dens3r_ros.sources.inputs.photo_set import at_size

FEWEST = 2
"""Photos of a model."""
_SMALLEST = 64
"""Pixels of a photo's shorter side, below which it shows too little."""
_DENSE_PAIRS = 3
"""Neighbours of a photo by which an engine that predicts nothing finds its depth."""

Following = Callable[[str, float | None], AbstractContextManager[Tell]]


class PhotosUnavailable(ValueError):
    """What was asked for cannot be had of photos in any order."""


class PhotosUnaligned(RuntimeError):
    """No scene came of the photos; the message says why."""


@dataclass(frozen=True, eq=False)
class PhotoModel:
    """A map of photos that show the same, where its keyframes are kept, and its points."""

    mapped: Mapped
    files: KeyframeFiles
    folders: Folders
    points: ScenePoints | None


def check_photos(options: Options) -> None:
    """PhotosUnavailable where photos cannot be done so."""
    if options.asked.depth or options.asked.normals or options.live:
        raise PhotosUnavailable("--save-depth, --save-normals and --live are for --mode video")


class PhotoRun:
    """One collection, from its input to maps."""

    def __init__(
        self,
        inputs: Sequence[Input],
        engine: Engine,
        options: Options,
        following: Following,
        stop: StopRequest,
        tally: RunTally,
    ) -> None:
        self._inputs, self._engine, self._options = inputs, engine, options
        self._following, self._stop, self._tally = following, stop, tally
        self._folders = Folders(options.out)
        work = self._folders.work
        self._album, self._pairs = Album(work / "photos"), PairFiles(work / "pairs")
        self._pair_maps = PairMapFiles(work / "maps")
        self._by_keypoints = engine.info.name == "geometric"
        rough = any(one.rough_lens for one in inputs)
        self._calibrated = not rough
        self._comparing: ByKeypoints | ByPointmaps
        if self._by_keypoints:
            self._comparing = ByKeypoints(engine, self._album, rough)
        else:
            least = options.least_confidence
            self._comparing = ByPointmaps(engine, self._album, rough, least, self._pair_maps)

    def maps(self) -> list[PhotoModel]:
        """The largest first; PhotosUnaligned where there is none."""
        self._read()
        places = self._described()
        collection = self._compared(places)
        began = time.monotonic()
        with self._following("aligning", None):
            models = models_of(collection, FEWEST)
        self._tally.spend("aligning", time.monotonic() - began)
        if not models:
            raise PhotosUnaligned(_why_none(len(self._album), collection))
        self._tell_of(models)
        return [self._mapped(n, model, places, collection) for n, model in enumerate(models)]

    def _read(self) -> None:
        if len(self._album):
            self._tally.taken = len(self._album)
            self._calibrated &= self._album.lens(0) is not None
            return
        for frame in self._frames():
            self._album.add(frame)
            self._tally.taken += 1
        if len(self._album) < FEWEST:
            raise PhotosUnaligned(
                f"{len(self._album)} photo(s) could be read: a scene needs two at least"
            )
        self._album.close()
        self._calibrated &= self._album.lens(0) is not None

    def _frames(self) -> Iterator[Frame]:
        began = time.monotonic()
        with self._following("reading", self._inputs[0].total) as tell:
            for one in self._inputs:
                usual = getattr(one, "usual_size", None)
                for index, taken in one.frames(Picker(self._options.picks)):
                    tell(index + 1, one.total, "")
                    if isinstance(taken, Unreadable):
                        self._tally.drop(taken.reason)
                    elif min(taken.size) < _SMALLEST:
                        self._tally.drop(f"smaller than {_SMALLEST} pixels")
                    else:
                        yield self._shaped(taken, usual)
                    self._go_on()
        self._tally.spend("reading", time.monotonic() - began)

    def _shaped(self, frame: Frame, usual: tuple[int, int] | None) -> Frame:
        """The shape of most, for engines that compare images of one shape only."""
        mixed = self._by_keypoints or getattr(self._engine, "mixed_sizes", False)
        if mixed or usual is None or frame.size == usual:
            return frame
        self._tally.notes.append(f"{frame.camera} was cut and resized to the size of most photos")
        return at_size(frame, usual)

    def _described(self) -> list[PlaceDescriptor]:
        vocabulary, count = shipped_vocabulary(), len(self._album)
        found = []
        with self._following("looks of photos", float(count)) as tell:
            for number in range(count):
                found.append(describe(self._album.frame(number).image, vocabulary))
                tell(number + 1, count, "")
                self._go_on()
        return found

    def _likeness(self, places: list[PlaceDescriptor]) -> np.ndarray:
        """By MASt3R's retrieval where that is at hand, else by our own descriptors."""
        by_network = network_retrieval(self._engine)
        if by_network is None:
            return likeness(places)
        with self._following("photos that look alike", float(len(places))) as tell:

            def on_photo(done: int) -> None:
                self._go_on()
                tell(done, len(places), "")

            return by_network.likeness(self._album, on_photo)

    def _compared(self, places: list[PlaceDescriptor]) -> Collection:
        alike = self._likeness(places)
        began = time.monotonic()
        with self._following("pairs of photos", None) as tell:

            def on_pair(done: int, total: int) -> None:
                self._go_on()
                tell(done, total, "")

            metric = self._engine.info.metric
            found = collected(alike, self._comparing, self._pairs, metric, on_pair)
        self._tally.spend("pairs", time.monotonic() - began)
        return found

    def _tell_of(self, models: list[Model]) -> None:
        placed = {photo for model in models for photo in model.photos}
        for number in range(len(self._album)):
            if number not in placed:
                self._tally.lose("shows nothing that the other photos show")
        if len(models) > 1:
            sizes = ", ".join(str(len(model.photos)) for model in models)
            self._tally.notes.append(
                f"the photos are of {len(models)} places that nothing joins, of {sizes} photos: all"
                " but the first are in folders of their own, model_2 and so on"
            )

    def _mapped(
        self,
        number: int,
        model: Model,
        places: list[PlaceDescriptor],
        collection: Collection,
    ) -> PhotoModel:
        folders = self._folders
        if number:
            folders = Folders(self._options.out / f"model_{number + 1}")
            folders.begin(False)
        files = KeyframeFiles(folders.images, folders.keyframe_maps)
        lenses = self._comparing.lenses
        if self._by_keypoints:
            self._decode(model)
        aligned = AlignedPhotos(
            self._album,
            model,
            lenses.placement,
            places.__getitem__,
            partial(self._depth, model),
            self._calibrated,
        )
        count = len(model.photos)
        began = time.monotonic()
        with self._following("depth", float(count)) as tell:
            mapped = mapped_photos(
                aligned,
                self._engine.info,
                self._options.mapper,
                files,
                self._tally,
                lambda done: tell(done, count, ""),
            )
        self._tally.spend("depth", time.monotonic() - began)
        points = scene_points(tracks_of(collection, model), model, mapped.poses, files)
        return PhotoModel(mapped, files, folders, points)

    def _depth(self, model: Model, photo: int) -> Maps:
        pixels = self._comparing.anchors(photo)
        found = fused(self._pair_maps.of(photo), pixels, model.depths[photo])
        if found is not None:
            return found
        size = self._comparing.lenses.placement(photo).size
        return np.zeros(size, np.float32), np.ones(size, np.float32)

    def _decode(self, model: Model) -> None:
        """Depth of a model's photos by pairs of neighbours, with the lenses that were found."""

        def encoded(photo: int) -> Features:
            lens = at_input(model.lenses[photo], self._comparing.lenses.placement(photo))
            return self._engine.encode([self._album.frame(photo, lens)])[0]

        features = Recent(encoded)
        pairs = model.neighbours(_DENSE_PAIRS)
        began = time.monotonic()
        with self._following("pairs for depth", float(len(pairs))) as tell:
            for done, (photo, other) in enumerate(pairs):
                self._go_on()
                shown = [(features(photo), features(other))]
                found = self._engine.decode(shown, Outputs("a", "", ""))
                if found.points_a is not None and found.confidence_a is not None:
                    depth, sure = found.points_a[0, ..., 2].numpy(), found.confidence_a[0].numpy()
                    support = int((sure >= self._options.least_confidence).sum())
                    self._pair_maps.put(photo, other, support, depth, sure)
                tell(done + 1, len(pairs), "")
        self._tally.spend("pairs for depth", time.monotonic() - began)

    def _go_on(self) -> None:
        if self._stop.taking:
            raise PhotosUnaligned(
                "stopped before the photos were aligned: --resume goes on with what was compared"
            )


def _why_none(photos: int, collection: Collection) -> str:
    """Why no model came of photos that could be read."""
    alike = {n for one in collection.measured for n in (one.a, one.b)}
    if not alike:
        return f"no two of {photos} photos show the same: take them nearer together"
    if any(one.shifted for one in collection.measured):
        return f"too little of what {len(alike)} of {photos} photos have in common agrees"
    return (
        f"of {photos} photos {len(alike)} show what others show, but from the same spot, which"
        " tells nothing of depth: take some from further apart"
    )
