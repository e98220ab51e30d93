# SPDX-License-Identifier: Apache-2.0
"""The pose between two photos by few images at a time, compared pair by pair with any engine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.frame import Frame
from dens3r_ros.reconstruction.photos.album import Album
from dens3r_ros.reconstruction.photos.comparing import ByKeypoints, ByPointmaps
from dens3r_ros.reconstruction.photos.pair_maps import PairMapFiles
from dens3r_ros.reconstruction.sparse.measured import Collection, MeasuredPair
from dens3r_ros.reconstruction.sparse.models import models_of
from dens3r_ros.sources.inputs.photo_set import at_size

_TIED = 0.5
"""Share of the images between without which a pose does not come by way of them."""

Pair = tuple[int, int]


class Posing:
    """Images by number, and poses by sets of them; what two images say is worked out once.

    `lenses_known`: images bring intrinsics that are calibrated, or none.
    """

    def __init__(
        self, engine: Engine, folder: Path, lenses_known: bool, least_confidence: float
    ) -> None:
        self._album, self._metric = Album(folder / "images"), engine.info.metric
        self._compared: dict[Pair, list[MeasuredPair]] = {}
        self._size: tuple[int, int] | None = None
        self._comparing: ByKeypoints | ByPointmaps
        if engine.info.name == "geometric":
            self._comparing = ByKeypoints(engine, self._album, not lenses_known)
            return
        maps = PairMapFiles(folder / "maps")
        rough = not lenses_known
        self._comparing = ByPointmaps(engine, self._album, rough, least_confidence, maps)

    def add(self, frame: Frame) -> int:
        """Keep an image; networks see all at the first one's size."""
        if isinstance(self._comparing, ByPointmaps):
            self._size = self._size or frame.size
            frame = at_size(frame, self._size)
        return self._album.add(frame)

    def learn_lenses(self, sets: Sequence[Sequence[int]]) -> None:
        """Let sets of images say what lenses are that nobody told, where the engine needs it."""
        if not isinstance(self._comparing, ByKeypoints):
            return
        pairs = {pair for numbers in sets for pair in combinations(sorted(numbers), 2)}
        tied = [pair for pair in pairs if self._all([pair])]
        for pair in sorted(tied, key=lambda pair: -self._compared[pair][0].support):
            self._comparing.vote(pair)
        if self._comparing.settle():
            self._compared.clear()

    def pose(self, a: int, b: int, between: Sequence[int] = ()) -> np.ndarray | None:
        """T_a_b (4, 4) by all pairs of a, b and images between them; the translation is zero where
        two images alone are of one spot. None where they do not show the same, or where what ties
        them is not the images between."""
        numbers = sorted({a, b, *between})
        measured = self._all(list(combinations(numbers, 2)))
        shown = sorted({photo for one in measured for photo in (one.a, one.b)})
        if not {a, b} <= set(shown):
            return None
        cameras = {photo: self._comparing.camera(photo) for photo in shown}
        anchors = {photo: self._comparing.anchors(photo) for photo in shown}
        for model in models_of(Collection(cameras, anchors, measured, self._metric)):
            if {a, b} <= set(model.photos):
                if len(model.photos) - 2 < _TIED * len(between):
                    return None
                poses = model.T_world_camera
                return np.asarray(np.linalg.inv(poses[a]) @ poses[b])
        return None if between else _turned(a, measured)

    def _all(self, pairs: Sequence[Pair]) -> list[MeasuredPair]:
        for pair in pairs:
            if pair not in self._compared:
                self._compared[pair] = self._comparing.compare(pair)
        return [one for pair in pairs for one in self._compared[pair]]


def _turned(a: int, measured: Sequence[MeasuredPair]) -> np.ndarray | None:
    """T_a_b of two photos of one spot, which differ by a rotation alone."""
    for one in measured:
        if not one.shifted:
            return one.T_a_b if one.a == a else np.linalg.inv(one.T_a_b)
    return None
