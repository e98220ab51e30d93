# SPDX-License-Identifier: Apache-2.0
"""Single images placed in a saved map: keyframes that look alike, then geometry both ways."""

from __future__ import annotations

from dataclasses import replace

import cv2

from dens3r_ros.engines.protocol import Engine, Features
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.archive.stored import Stored
from dens3r_ros.mapping.config import GraphConfig, MapperConfig
from dens3r_ros.mapping.files.map_file import LoadedMap, MapFileError
from dens3r_ros.mapping.files.saving import restored
from dens3r_ros.mapping.parts import usual_parts
from dens3r_ros.mapping.stream import Stream
from dens3r_ros.mapping.tracking.tracker import View
from dens3r_ros.mapping.world import Parts
from dens3r_ros.reconstruction.localising.canvas import fitted, guessed_lens
from dens3r_ros.reconstruction.localising.looks import looks_alike
from dens3r_ros.reconstruction.localising.opinions import Located, Opinion, agreeing, joined

TRIED = 8
"""Keyframes that look alike among which an image is looked for."""
ENOUGH = 3
"""Keyframes that agree on an image's place, after which no more are asked."""
SMALLEST = 64
"""Pixels of an image's shorter side below which it shows too little."""
_SAME_SHAPE = 0.01
"""Relative difference of aspect ratios up to which an image may be of the map's camera."""


class Localiser:
    """Places images in a map that is loaded once and never changed by them.

    Any engine will do, also of another kind of lengths than the map's: the keyframes' depth is
    what tells them.
    """

    def __init__(
        self, loaded: LoadedMap, engine: Engine, config: MapperConfig | None = None
    ) -> None:
        if not loaded.keyframes:
            raise MapFileError(f"{loaded.path} is a map without keyframes: nothing is to be found")
        self.metric = loaded.info.metric
        self._engine = engine
        self._session = restored(loaded, _parts(loaded, engine, config or MapperConfig()), 0)
        self.world = self._session.world

    def place(self, frame: Frame) -> Located | str:
        """Where an image was taken, or why that is not known; its stamp tells nothing."""
        if min(frame.size) < SMALLEST:
            height, width = frame.size
            return f"{width}x{height} pixels are too few: the shorter side must have {SMALLEST}"
        similar = [i for i, _ in self.world.parts.places.query(frame.image, TRIED)]
        if not similar:
            return "nothing in the map looks like it"
        frame, stream, lens = self._seen_through(frame, similar)
        features = self._engine.encode([frame])[0]
        view = stream.view(features)
        opinions: list[Opinion] = []
        for keyframe_id in similar:
            # Engines of pairs match images of one shape.
            if not _alike(frame.size, self.world.parts.archive.stored(keyframe_id)):
                continue
            opinion = self._opinion(keyframe_id, features, view, lens)
            if opinion is not None:
                opinions.append(opinion)
                if len(agreeing(opinions)[0]) == ENOUGH:
                    break
        if not opinions:
            return (
                f"none of the {len(similar)} keyframes that look most like it shows the same place"
                " from near enough"
            )
        return joined(opinions, lens)

    def _opinion(
        self, keyframe_id: int, features: Features, view: View, lens: str
    ) -> Opinion | None:
        """Where a keyframe places an image, if geometry both ways and looks agree that it does."""
        there = self.world.loops.relocalise(features, view, [], among=keyframe_id.__eq__)
        if there is None or not looks_alike(there[0], view, there[1]):
            return None
        keyframe, found, _ = there
        graph = self.world.graph
        S, piece = graph.poses[keyframe_id], graph.pieces[keyframe_id]
        return Opinion.of(keyframe, found, S, piece, lens)

    def _seen_through(self, frame: Frame, similar: list[int]) -> tuple[Frame, Stream, str]:
        """The frame with its lens, the camera that it is taken to be of, and how that is known.

        Where no lens is given, an image of the shape of the map's is taken for one of its camera.
        """
        stored = [self.world.parts.archive.stored(i) for i in similar]
        like = next((one for one in stored if _alike(frame.size, one)), stored[0])
        size = like.placement.original
        if frame.intrinsics is not None:
            return fitted(frame, size, frame.intrinsics), Stream(frame.camera), "given"
        if not _alike(frame.size, like):
            lens = guessed_lens(frame.size)
            return fitted(frame, size, lens), Stream(frame.camera), "guessed"
        image = frame.image
        if frame.size != size:
            image = cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA)
        known = replace(frame, image=image, intrinsics=like.intrinsics)
        return known, self._session.streams[like.camera_name], "map"


def _parts(loaded: LoadedMap, engine: Engine, config: MapperConfig) -> Parts:
    """Those of a map in its own kind of lengths, all keyframes kept, nothing solved."""
    scale = config.scale if engine.info.metric == loaded.info.metric else "free"
    loops = replace(config.loops, tried_when_lost=TRIED)
    archive = replace(config.archive, keyframes=max(10, len(loaded.keyframes)))
    graph = GraphConfig(child_process=False)
    config = replace(config, scale=scale, loops=loops, archive=archive, graph=graph)
    return replace(usual_parts(engine, config), metric=loaded.info.metric)


def _alike(size: tuple[int, int], keyframe: Stored) -> bool:
    """Whether an image of (height, width) has the shape of a keyframe's."""
    (height, width), (rows, columns) = size, keyframe.placement.original
    return abs(width / height * rows / columns - 1) < _SAME_SHAPE
