# SPDX-License-Identifier: Apache-2.0
"""Single images placed in a saved map by how they stand to keyframes that look alike, without the
map's points: the relative poses are averaged."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import cv2
import numpy as np

from dens3r_ros.engines.protocol import Features
from dens3r_ros.engines.relative.protocol import RelativePose, RelativePoser
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.many_views.robust_averaging import AveragedCamera, averaged_camera
from dens3r_ros.mapping.archive.stored import Stored, stored_image
from dens3r_ros.mapping.files.map_file import LoadedMap
from dens3r_ros.mapping.graph.graph import rigid
from dens3r_ros.mapping.graph.pieces import Pieces
from dens3r_ros.mapping.localising.canvas import fitted, guessed_lens
from dens3r_ros.mapping.localising.localiser import check_keyframes
from dens3r_ros.mapping.localising.opinions import Located
from dens3r_ros.mapping.localising.placer import SMALLEST
from dens3r_ros.mapping.places.place import Places
from dens3r_ros.mapping.tracking.cameras import at_input

ASKED = 10
"""Keyframes that look alike whose relative poses are averaged."""
_IN_MEMORY = 32
_SAME_SHAPE = 0.01


class AveragingLocaliser:
    """Places images in a map that is loaded once and never changed by them."""

    def __init__(self, loaded: LoadedMap, poser: RelativePoser) -> None:
        check_keyframes(loaded)
        self.metric = loaded.info.metric
        self._poser, self._places, self._pieces = poser, Places(), Pieces()
        self._stored = {one.stored.id: one.stored for one in loaded.keyframes}
        self._poses = {n: rigid(S) for n, S in loaded.poses.items()}
        for one in loaded.keyframes:
            self._places.put(one.stored.id, one.place)
        for keyframe_id in sorted(loaded.poses):
            self._pieces.add(keyframe_id)
        for edge in loaded.edges:
            self._pieces.tie(edge.i, edge.j)
        self._encoded: OrderedDict[int, Features] = OrderedDict()

    def place(self, frame: Frame) -> Located | str:
        """Where an image was taken, or why that is not known; its stamp tells nothing."""
        if min(frame.size) < SMALLEST:
            height, width = frame.size
            return f"{width}x{height} pixels are too few: the shorter side must have {SMALLEST}"
        similar = [i for i, _ in self._places.query(frame.image, ASKED) if i in self._poses]
        if not similar:
            return "nothing in the map looks like it"
        shown, lens = self._seen_through(frame, similar)
        seen = self._poser.encode([shown])[0]
        told = {
            n: pose
            for n in similar
            if (pose := self._poser.relative(self._features(n), seen)) is not None
        }
        return self._averaged(told, lens, len(similar))

    def _averaged(self, told: dict[int, RelativePose], lens: str, asked: int) -> Located | str:
        """The answer of the piece of the map in which most keyframes know the image."""
        pieces = [self._pieces[n] for n in told]
        if not pieces:
            return f"none of the {asked} keyframes that look most like it shows the same place"
        piece = max(pieces, key=pieces.count)
        ids = [n for n in told if self._pieces[n] == piece]
        found = averaged_camera(
            np.array([self._poses[n] for n in ids]),
            np.array([told[n].T_a_b for n in ids]),
            np.array([told[n].shifted for n in ids]),
        )
        if isinstance(found, str):
            return found
        return _located(found, ids, piece, lens, asked)

    def _features(self, keyframe_id: int) -> Features:
        if keyframe_id not in self._encoded:
            stored = self._stored[keyframe_id]
            frame = Frame(stored_image(stored), stored.stamp, stored.camera_name, _lens_of(stored))
            self._encoded[keyframe_id] = self._poser.encode([frame])[0]
            if len(self._encoded) > _IN_MEMORY:
                self._encoded.popitem(last=False)
        self._encoded.move_to_end(keyframe_id)
        return self._encoded[keyframe_id]

    def _seen_through(self, frame: Frame, similar: list[int]) -> tuple[Frame, str]:
        """The frame as the poser takes it, and how its lens is known.

        Where no lens is given, an image of the shape of the map's is taken for one of its camera.
        """
        if not self._poser.needs_lens:
            return frame, "not needed"
        stored = [self._stored[n] for n in similar]
        like = next((one for one in stored if _alike(one, frame.size)), None)
        size = (like or stored[0]).placement.original
        if frame.intrinsics is not None:
            return fitted(frame, size, frame.intrinsics), "given"
        if like is None:
            return fitted(frame, size, guessed_lens(frame.size)), "guessed"
        image = cv2.resize(frame.image, size[::-1], interpolation=cv2.INTER_AREA)
        return replace(frame, image=image, intrinsics=_lens_of(like)), "map"


def _located(found: AveragedCamera, ids: list[int], piece: int, lens: str, asked: int) -> Located:
    agreeing = tuple(n for n, good in zip(ids, found.agree, strict=True) if good)
    return Located(
        found.T_world_camera,
        found.covariance,
        agreeing,
        piece,
        len(ids) / asked,
        len(agreeing) / len(ids),
        lens,
    )


def _lens_of(stored: Stored) -> Intrinsics:
    """Of the image at the size it was taken in, as given or as mapping learned it."""
    return stored.intrinsics or at_input(stored.camera, stored.placement)


def _alike(stored: Stored, size: tuple[int, int]) -> bool:
    (height, width), (rows, columns) = size, stored.placement.original
    return abs(width / height * rows / columns - 1) < _SAME_SHAPE
