# SPDX-License-Identifier: Apache-2.0
"""Photos compared pair by pair, with few of them in memory: by what the engine predicts, or by
keypoints where it predicts nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from dens3r_ros.engines.preprocess import intrinsics_at, upright
from dens3r_ros.engines.protocol import Engine, Features, Outputs, Placement
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.tracking.cameras import CameraEstimate, fit_camera
from dens3r_ros.network.prediction import PairPrediction
from dens3r_ros.reconstruction.photos.album import Album
from dens3r_ros.reconstruction.photos.grid import grid_pixels
from dens3r_ros.reconstruction.photos.keypoint_pairs import (
    PhotoKeypoints,
    keypoints_of,
    matched,
    measured_by_keypoints,
    shared_focal,
)
from dens3r_ros.reconstruction.photos.pair_maps import PairMapFiles
from dens3r_ros.reconstruction.photos.pointmap_pairs import PredictedPair, measured_by_points
from dens3r_ros.reconstruction.photos.recent import Recent
from dens3r_ros.reconstruction.sparse.measured import MeasuredPair, PhotoCamera

_USUAL = 0.85
"""Focal length, in longer sides of the image, where nothing tells it."""
_UNKNOWN, _ROUGH, _VOTED = 0.35, 0.1, 0.1
"""Standard deviations of the logarithm of a focal length: of a guess, of a maker's figure, and as
photos say themselves."""
_VOTERS = 40

Pair = tuple[int, int]


class Comparing(Protocol):
    """A way to compare photos."""

    def compare(self, pair: Pair) -> list[MeasuredPair]:
        """What two photos say of each other; empty where they do not show the same."""
        ...

    def camera(self, number: int) -> PhotoCamera:
        """A photo's lens at the engine's pixels, as far as it is known by now."""
        ...

    def anchors(self, number: int) -> np.ndarray:
        """(A, 2) pixels of a photo's anchors."""
        ...


class Lenses:
    """Lenses of an album's photos at the engine's pixels, and who shares them.

    A lens that is told, exactly or by its maker, is shared by photos of the same size that tell the
    same; `guesses` (by group) replaces what is taken for granted of the others.
    """

    def __init__(self, engine: Engine, album: Album, rough: bool) -> None:
        self._engine, self._album, self._rough = engine, album, rough
        self._placements: dict[tuple[int, int], Placement] = {}
        self._groups: dict[object, int] = {}
        self.guesses: dict[int, float] = {}
        """Focal length in longer sides, as photos of a group say."""

    def placement(self, number: int) -> Placement:
        """Where the engine's pixels lie in a photo."""
        size = self._album.size(number)
        if size not in self._placements:
            encoded = self._engine.encode([self._album.frame(number)])[0]
            self._placements[size] = upright(encoded.placement)
        return self._placements[size]

    def group(self, number: int) -> int:
        """The photos that share a lens."""
        key = self._album.lens(number) or self._album.size(number)
        return self._groups.setdefault(key, len(self._groups))

    def camera(self, number: int) -> PhotoCamera:
        """See `Comparing`."""
        told, group = self._album.lens(number), self.group(number)
        height, width = self._album.size(number)
        spread = _ROUGH if self._rough else 0.0
        if told is None:
            spread = _VOTED if group in self.guesses else _UNKNOWN
            focal = self.guesses.get(group, _USUAL) * max(height, width)
            told = Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)
        return PhotoCamera(intrinsics_at(told, self.placement(number)), group, spread)


class ByKeypoints:
    """For engines that predict nothing of a scene but compare images."""

    def __init__(self, engine: Engine, album: Album, rough: bool) -> None:
        self._album, self.lenses = album, Lenses(engine, album, rough)
        self._keypoints: Recent[PhotoKeypoints] = Recent(self._made)
        self._pixels: dict[int, np.ndarray] = {}
        self._votes: dict[int, list[tuple[int, float]]] = {}

    def _made(self, number: int) -> PhotoKeypoints:
        size = self.lenses.placement(number).size
        return keypoints_of(self._album.frame(number).image, size)

    def anchors(self, number: int) -> np.ndarray:
        """See `Comparing`."""
        if number not in self._pixels:
            self._pixels[number] = self._keypoints(number).pixels
        return self._pixels[number]

    def camera(self, number: int) -> PhotoCamera:
        """See `Comparing`."""
        return self.lenses.camera(number)

    def compare(self, pair: Pair) -> list[MeasuredPair]:
        """See `Comparing`."""
        points = self._keypoints(pair[0]), self._keypoints(pair[1])
        matches = matched(*points)
        cameras = self.camera(pair[0]).lens, self.camera(pair[1]).lens
        found = measured_by_keypoints(*pair, points, matches, cameras)
        return [] if found is None else [found]

    def vote(self, pair: Pair) -> None:
        """Let two photos of one lens that nothing is told of say what it is."""
        group = self.lenses.group(pair[0])
        if self._album.lens(pair[0]) is not None or self.lenses.group(pair[1]) != group:
            return
        if len(self._votes.setdefault(group, [])) >= _VOTERS:
            return
        a, b = (self._keypoints(n) for n in pair)
        ids_a, ids_b = matched(a, b)
        size = self.lenses.placement(pair[0]).size
        found = shared_focal(a.pixels[ids_a].astype(float), b.pixels[ids_b].astype(float), size)
        if found is not None:
            self._votes[group].append((found[1], found[0] / max(size)))

    def settle(self) -> bool:
        """Take over what photos say of lenses; whether anything was learned."""
        for group, votes in self._votes.items():
            if len(votes) >= 3:
                self.lenses.guesses[group] = float(np.median([focal for _, focal in votes]))
        return bool(self.lenses.guesses)


class ByPointmaps:
    """For engines that predict both photos' points; each pair is looked at both ways."""

    def __init__(
        self, engine: Engine, album: Album, rough: bool, least: float, maps: PairMapFiles
    ) -> None:
        self._engine, self._album, self._least = engine, album, least
        self.lenses, self._maps = Lenses(engine, album, rough), maps
        self._known = not rough
        self._features: Recent[Features] = Recent(self._encoded)
        self._fitted: dict[int, CameraEstimate] = {}

    def _encoded(self, number: int) -> Features:
        frame = self._album.frame(number)
        known = frame if self._known else replace(frame, intrinsics=None)
        return self._engine.encode([known])[0]

    def anchors(self, number: int) -> np.ndarray:
        """See `Comparing`."""
        return grid_pixels(self.lenses.placement(number).size)

    def camera(self, number: int) -> PhotoCamera:
        """See `Comparing`: as it is told, else as the photo's own pointmaps have it."""
        told = self.lenses.camera(number)
        fitted = self._fitted.get(number)
        current = None if fitted is None else fitted.current
        if told.spread == 0 or current is None:
            return told
        focal = float(np.sqrt(current.fx * current.fy))
        lens = replace(told.lens, fx=focal, fy=focal)
        return PhotoCamera(lens, 1_000_000 + number, _VOTED)

    def compare(self, pair: Pair) -> list[MeasuredPair]:
        """See `Comparing`."""
        a, b = (self._features(number) for number in pair)
        kinds = "ab" if self._engine.info.descriptors else ""
        forth = self._engine.decode([(a, b)], Outputs("ab", "", kinds))
        back = self._engine.decode([(b, a)], Outputs("ab", "", kinds))
        predicted = [_predicted(one, self._least) for one in (forth, back)]
        for number, one in zip(pair, predicted, strict=True):
            if self.lenses.camera(number).spread > 0:
                estimate = self._fitted.setdefault(number, CameraEstimate())
                estimate.add(fit_camera(one.points_a, one.confidence_a))
        found = []
        for (first, second), one in zip((pair, pair[::-1]), predicted, strict=True):
            cameras = self.camera(first).lens, self.camera(second).lens
            measured = measured_by_points(first, second, one, *cameras)
            if measured is not None:
                found.append(measured)
                depth, sure = one.points_a[..., 2], one.confidence_a
                self._maps.put(first, second, measured.support, depth, sure)
        return found


def _predicted(prediction: PairPrediction, least: float) -> PredictedPair:
    def array(name: str) -> np.ndarray | None:
        maps = getattr(prediction, name)
        return None if maps is None else np.asarray(maps[0].float().cpu())

    def needed(name: str) -> np.ndarray:
        found = array(name)
        if found is None:
            raise ValueError(f"the engine gives no {name} of a pair of photos")
        return found

    return PredictedPair(
        needed("points_a"),
        needed("points_b"),
        needed("confidence_a"),
        needed("confidence_b"),
        array("descriptors_a"),
        array("descriptors_b"),
        least,
    )
