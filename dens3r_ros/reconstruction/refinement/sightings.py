# SPDX-License-Identifier: Apache-2.0
"""Which pixels of each keyframe were seen where by which frames, gathered from all pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from dens3r_ros.engines.preprocess import intrinsics_at
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles, KeyframeMaps
from dens3r_ros.reconstruction.kept.mapped import Mapped
from dens3r_ros.reconstruction.kept.pair_tracks import (
    ImageKey,
    PairTracks,
    Place,
    TrackStore,
    sample_pixels,
    sampled,
)
from dens3r_ros.reconstruction.refinement.residuals import errors, rays_of

FRAMES = 20
"""Most frames that are no keyframes, of each keyframe, those that see it from farthest aside."""
_NEAR_PIXELS, _AGREEING, _FEWEST_SURE = 20.0, 0.5, 60
"""A pair that mapping did not take is taken after all if of its sure tracks, so many at least, more
than this share lies so near to where poses and depth have it: what drift leaves is larger than what
a track errs by."""
_BLOCK = 4
"""Samples each way of which the best textured one is taken for the bundle."""
_PIXEL_ERROR = 1.5
_LEAST_PIXELS = 0.5
"""Expected error in pixels of a track of confidence 2, and of the surest ones."""


@dataclass(eq=False)
class Anchor:
    """A keyframe whose pixels are tracked.

    chosen (N,): numbers of the samples that are taken, pixels (N, 2) theirs; frames: who sees
    them; places: where the pairs' tracks are kept; seen (F, N, 2) float32 where they see them;
    weights (F, N) float32 inverse variances in 1 / pixels^2, 0 where not seen; inverse (N,) their
    inverse depth as mapping left it, in the scene's unit, 0 where unknown.
    """

    key: ImageKey
    keyframe_id: int
    camera: Intrinsics
    chosen: np.ndarray
    pixels: np.ndarray
    inverse: np.ndarray
    frames: list[ImageKey] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    seen: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 2), np.float32))
    weights: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Which pairs tell of which keyframe: those that mapping believed.

    of: (frame, keyframe) pairs; keyframes: their ids by key.
    """

    keyframes: Mapping[ImageKey, int]
    of: frozenset[tuple[ImageKey, ImageKey]]

    @staticmethod
    def among(mapped: Mapped) -> Neighbourhood:
        """Frames with the keyframe that they are placed by, and keyframes with an edge."""
        stored = {one.stored.id: one.stored for one in mapped.saved.keyframes}
        key = {i: (one.stamp, one.camera_name) for i, one in stored.items()}
        pairs = set()
        for record in mapped.saved.records:
            frame = record.stamp, record.camera
            if record.keyframe_id in key and frame != key[record.keyframe_id]:
                pairs.add((frame, key[record.keyframe_id]))
        for edge in mapped.saved.edges:
            if edge.i in key and edge.j in key:
                pairs |= {(key[edge.i], key[edge.j]), (key[edge.j], key[edge.i])}
        # The lens of one camera says nothing of another's pixels.
        alike = {(a, b) for a, b in pairs if a[1] == b[1]}
        return Neighbourhood({k: i for i, k in key.items()}, frozenset(alike))


def gather(
    store: TrackStore,
    around: Neighbourhood,
    files: KeyframeFiles,
    units: Mapping[int, float],
    lenses: Mapping[str, Intrinsics],
) -> list[Anchor]:
    """Every keyframe with textured samples of it and who sees them, thinned for the bundle.

    `units` are the lengths of the keyframes' units in the scene's, `lenses` the cameras' of whole
    images, as they are known in the end.
    """
    pairs: dict[ImageKey, list[tuple[ImageKey, Place]]] = {}
    for (a, b), place in store.places().items():
        if (a, b) in around.of:
            pairs.setdefault(b, []).append((a, place))
    found = []
    for key, keyframe_id in sorted(around.keyframes.items(), key=lambda item: item[1]):
        if key in pairs:
            anchor = _anchor(key, keyframe_id, files.read(keyframe_id), units[keyframe_id], lenses)
            _fill(anchor, pairs[key], around)
            found.append(anchor)
    return found


def agreeing(
    store: TrackStore,
    around: Neighbourhood,
    anchors: Sequence[Anchor],
    inverse: Sequence[np.ndarray],
    poses: Mapping[ImageKey, np.ndarray],
) -> Neighbourhood:
    """The same and those pairs of keyframes that mapping decoded but did not take, if what they
    show agrees with poses (T_world_camera) and inverse depths of the anchors as they are now."""
    known = {a.key: (a, q) for a, q in zip(anchors, inverse, strict=True)}
    more = set(around.of)
    for (a, b), place in store.places().items():
        both = a in around.keyframes and b in known and a in poses and a[1] == b[1]
        if not both or (a, b) in around.of:
            continue
        anchor, q = known[b]
        pixels, weights = landing(TrackStore.read((a, b), place))
        seen, sure = pixels.reshape(1, -1, 2)[:, anchor.chosen], weights.ravel()[anchor.chosen] > 0
        T = np.linalg.inv(poses[a]) @ poses[b]
        off, _, ahead = errors(
            rays_of(anchor.pixels, anchor.camera), q, T[None], seen, anchor.camera
        )
        near = sure & ahead[0] & (np.linalg.norm(off[0], axis=-1) < _NEAR_PIXELS)
        if sure.sum() >= _FEWEST_SURE and near.sum() > _AGREEING * sure.sum():
            more.add((a, b))
    return Neighbourhood(around.keyframes, frozenset(more))


def landing(pair: PairTracks) -> tuple[np.ndarray, np.ndarray]:
    """Pixels in a (rows, columns, 2) of b's samples, and inverse variances (rows, columns)."""
    pixels = sample_pixels(pair.flow.shape[:2]) + pair.flow.astype(np.float32)
    spread = pair.spread
    sigma = np.maximum(_LEAST_PIXELS, _PIXEL_ERROR / np.sqrt(np.maximum(spread, 1e-6)))
    return pixels, np.where(spread > 0.05, 1 / sigma**2, 0).astype(np.float32)


def _anchor(
    key: ImageKey,
    keyframe_id: int,
    maps: KeyframeMaps,
    unit: float,
    lenses: Mapping[str, Intrinsics],
) -> Anchor:
    grey = cv2.cvtColor(maps.colours, cv2.COLOR_RGB2GRAY)
    worth = sampled(cv2.cornerMinEigenVal(grey, 5))
    moving = np.zeros(worth.shape, bool) if maps.moving is None else sampled(maps.moving)
    chosen = _best_of_blocks(np.where(moving, np.float32(-1), worth))
    chosen = chosen[~moving.ravel()[chosen]]
    depth = sampled(maps.depth).ravel()[chosen].astype(np.float64) * unit
    known = (depth > 0) & (sampled(maps.confidence).ravel()[chosen] > 1)
    inverse = np.where(known, 1 / np.maximum(depth, 1e-9), 0)
    pixels = sample_pixels(worth.shape).reshape(-1, 2)[chosen].astype(np.float64)
    lens = lenses.get(key[1])
    fits = lens is not None and (lens.height, lens.width) == maps.placement.original
    camera = intrinsics_at(lens, maps.placement) if lens is not None and fits else maps.camera
    return Anchor(key, keyframe_id, camera, chosen, pixels, inverse)


def _best_of_blocks(worth: np.ndarray) -> np.ndarray:
    """Flat numbers of the best sample of each block."""
    rows, columns = (side // _BLOCK for side in worth.shape)
    cells = worth[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    best = cells.transpose(0, 2, 1, 3).reshape(rows * columns, -1).argmax(1)
    cell = np.arange(rows * columns)
    y = cell // columns * _BLOCK + best // _BLOCK
    x = cell % columns * _BLOCK + best % _BLOCK
    return y * worth.shape[1] + x


def _fill(
    anchor: Anchor,
    pairs: list[tuple[ImageKey, Place]],
    around: Neighbourhood,
) -> None:
    """Who sees the anchor: all keyframes, and of other frames those farthest aside."""
    aside, seen = {}, {}
    for frame, place in pairs:
        pixels, weights = landing(TrackStore.read((frame, anchor.key), place))
        pixels, weights = pixels.reshape(-1, 2)[anchor.chosen], weights.ravel()[anchor.chosen]
        if not (weights > 0).any():
            continue
        moved = np.linalg.norm(pixels - anchor.pixels, axis=1)
        aside[frame], seen[frame] = float(np.median(moved[weights > 0])), (pixels, weights, place)
    others = sorted((f for f in seen if f not in around.keyframes), key=lambda f: -aside[f])
    anchor.frames = [f for f in seen if f in around.keyframes] + others[:FRAMES]
    if anchor.frames:
        anchor.seen = np.stack([seen[frame][0] for frame in anchor.frames])
        anchor.weights = np.stack([seen[frame][1] for frame in anchor.frames])
        anchor.places = [seen[frame][2] for frame in anchor.frames]
