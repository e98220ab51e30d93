# SPDX-License-Identifier: Apache-2.0
"""Where single images were taken among a map's keyframes: looks first, then geometry both ways."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace

import cv2

from dens3r_ros.engines.protocol import Features, encode_aside
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.localising.canvas import fitted, guessed_lens
from dens3r_ros.mapping.localising.opinions import Located, Opinion, agreeing, joined
from dens3r_ros.mapping.places.in_steps import done_at_once
from dens3r_ros.mapping.streams.stream import Stream
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.track import Track
from dens3r_ros.mapping.tracking.tracker import View
from dens3r_ros.mapping.world import World

TRIED = 8
"""Keyframes that look alike among which an image is looked for."""
ENOUGH = 3
"""Keyframes that agree on an image's place, after which no more are asked."""
SMALLEST = 64
"""Pixels of an image's shorter side below which it shows too little."""
_SAME_SHAPE = 0.01
"""Relative difference of aspect ratios up to which an image may be of the map's camera."""


@dataclass(frozen=True)
class _Taken:
    """How a keyframe was taken: (height, width) of its image, by which camera, through what."""

    size: tuple[int, int]
    camera: str
    intrinsics: Intrinsics | None

    def alike(self, size: tuple[int, int]) -> bool:
        """Whether an image of (height, width) has this shape."""
        (height, width), (rows, columns) = size, self.size
        return abs(width / height * rows / columns - 1) < _SAME_SHAPE


class Placer:
    """Places images in a map, of which it only reads; `streams` are the map's cameras."""

    def __init__(self, world: World, streams: Mapping[str, Stream]) -> None:
        self._world, self._streams = world, streams

    def place(self, frame: Frame) -> Located | str:
        """Where an image was taken, or why that is not known; its stamp tells nothing."""
        return done_at_once(self.placing(frame))

    def placing(self, frame: Frame) -> Generator[None, None, Located | str]:
        """The same in steps, between which the map may take in frames."""
        if min(frame.size) < SMALLEST:
            height, width = frame.size
            return f"{width}x{height} pixels are too few: the shorter side must have {SMALLEST}"
        similar = [i for i, _ in self._world.parts.places.query(frame.image, TRIED)]
        if not similar:
            return "nothing in the map looks like it"
        frame, stream, lens = self._seen_through(frame, similar)
        features = encode_aside(self._world.parts.engine, [frame])[0]
        opinions = yield from self._opinions(features, stream.view(features), lens, similar)
        if not opinions:
            return (
                f"none of the {len(similar)} keyframes that look most like it shows the same place"
                " from near enough"
            )
        return joined(opinions, lens)

    def _opinions(
        self, features: Features, view: View, lens: str, similar: list[int]
    ) -> Generator[None, None, list[Opinion]]:
        """What keyframes say of an image, until enough agree."""
        found: list[tuple[Keyframe, Track]] = []
        for keyframe_id in similar:
            yield
            taken = self._taken(keyframe_id)
            # Engines of pairs match images of one shape.
            if taken is None or not taken.alike(features.frame.size):
                continue
            there = yield from self._world.loops.placing_at(keyframe_id, features, view)
            if there is not None:
                found.append(there[:2])
                if any(len(group) >= ENOUGH for group in agreeing(self._of_map(found, lens))):
                    break
        return self._of_map(found, lens)

    def _of_map(self, found: list[tuple[Keyframe, Track]], lens: str) -> list[Opinion]:
        """What places against keyframes say of the map as it stands now."""
        graph = self._world.graph
        return [
            Opinion.of(keyframe, track, graph, lens)
            for keyframe, track in found
            if keyframe.id in graph.poses
        ]

    def _seen_through(self, frame: Frame, similar: list[int]) -> tuple[Frame, Stream, str]:
        """The frame with its lens, the camera that it is taken to be of, and how that is known.

        Where no lens is given, an image of the shape of the map's is taken for one of its camera.
        """
        taken = [one for i in similar if (one := self._taken(i)) is not None]
        like = next((one for one in taken if one.alike(frame.size)), taken[0])
        if frame.intrinsics is not None:
            return fitted(frame, like.size, frame.intrinsics), Stream(frame.camera), "given"
        if not like.alike(frame.size):
            lens = guessed_lens(frame.size)
            return fitted(frame, like.size, lens), Stream(frame.camera), "guessed"
        image = frame.image
        if frame.size != like.size:
            height, width = like.size
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        known = replace(frame, image=image, intrinsics=like.intrinsics)
        # Of a camera that is running only what it knows of its lens is read.
        return known, replace(self._streams[like.camera]), "map"

    def _taken(self, keyframe_id: int) -> _Taken | None:
        """None where the keyframe is gone by now."""
        window = self._world.window
        if keyframe_id in window:
            features = window[keyframe_id].features
            frame = features.frame
            return _Taken(features.placement.original, frame.camera, frame.intrinsics)
        if keyframe_id not in self._world.parts.archive:
            return None
        stored = self._world.parts.archive.stored(keyframe_id)
        return _Taken(stored.placement.original, stored.camera_name, stored.intrinsics)
