# SPDX-License-Identifier: Apache-2.0
"""Photos in any order, as a set: all pairs predicted, all of them aligned at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dens3r_ros.engines.protocol import Engine, Features
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.pair_scene import DirectedPair
from dens3r_ros.reconstruction.global_alignment import Alignment, AlignmentConfig, align_globally
from dens3r_ros.reconstruction.kept.keyframe_files import KeyframeFiles
from dens3r_ros.reconstruction.kept.mapped import Mapped, RunTally
from dens3r_ros.reconstruction.pair_graph import make_pairs
from dens3r_ros.reconstruction.pair_prediction import predict_encoded
from dens3r_ros.reconstruction.pipeline.aligned_map import AlignedPhotos, mapped_photos
from dens3r_ros.reconstruction.pipeline.options import Options
from dens3r_ros.reconstruction.pipeline.reading import Tell
from dens3r_ros.reconstruction.pipeline.stopping import StopRequest
from dens3r_ros.reconstruction.pipeline.taking import Picker
from dens3r_ros.sources.inputs import Input, Unreadable

MOST = 30
"""Photos, since all are paired with all: 870 pairs, 5 GB at 512x384."""
_SEEN = 0.02
"""Share of both images' pixels that must be sure for two photos to show the same."""

Following = Callable[[str, float | None], AbstractContextManager[Tell]]
Pairs = dict[tuple[int, int], DirectedPair]


class PhotosUnavailable(ValueError):
    """What was asked for cannot be had of photos in any order."""


class PhotosUnaligned(RuntimeError):
    """No scene came of the photos; the message says why."""


def check_photos(count: int | None, options: Options) -> None:
    """PhotosUnavailable where photos cannot be done so."""
    every = options.picks.every
    if count is None or -(-count // every) > MOST:
        raise PhotosUnavailable(
            f"{count} photos are too many for --mode photos, which pairs all with all, up to"
            f" {MOST}: take each N-th with --every, or name them in the order in which they were"
            " taken and use --mode video"
        )
    if options.asked.depth or options.asked.normals or options.resume or options.live:
        raise PhotosUnavailable(
            "--save-depth, --save-normals, --live and --resume are for --mode video"
        )


def map_photos(
    inputs: Sequence[Input],
    engine: Engine,
    options: Options,
    files: KeyframeFiles,
    following: Following,
    stop: StopRequest,
    tally: RunTally,
) -> Mapped:
    """The scene in which all photos agree best; PhotosUnaligned where there is none."""
    began = time.monotonic()
    frames = _read(inputs, options, tally)
    rough = any(one.rough_lens for one in inputs)
    features = [engine.encode([frame])[0] for frame in frames]
    pairs = _predicted(engine, features, following, stop)
    photos, pairs = _together(features, pairs, options.least_confidence, tally)
    found = _aligned(photos, pairs, rough, following, stop)
    tally.spend("pairs and alignment", time.monotonic() - began)
    if engine.info.name == "geometric":
        tally.notes.append("photos were aligned by geometry alone: expect poses that are far off")
    return mapped_photos(
        AlignedPhotos(photos, found, sorted(pairs), rough), engine.info, options, files, tally
    )


def _read(inputs: Sequence[Input], options: Options, tally: RunTally) -> list[Frame]:
    frames = []
    for one in inputs:
        for _, taken in one.frames(Picker(options.picks)):
            if isinstance(taken, Unreadable):
                tally.drop(taken.reason)
            else:
                frames.append(taken)
                tally.taken += 1
    if len(frames) < 2:
        raise PhotosUnaligned(f"{len(frames)} photo(s) could be read: a scene needs two at least")
    return frames


def _predicted(
    engine: Engine, features: list[Features], following: Following, stop: StopRequest
) -> Pairs:
    chosen = make_pairs(len(features))
    with following("pairs of photos", float(len(chosen))) as tell:

        def on_pair(done: int, total: int) -> None:
            _go_on(stop)
            tell(done, total, "")

        return predict_encoded(engine, features, chosen, on_pair)


def _together(
    features: list[Features], pairs: Pairs, least: float, tally: RunTally
) -> tuple[list[Features], Pairs]:
    """The most photos that pairs tie together, and those pairs, numbered anew."""
    tied = {(min(pair), max(pair)) for pair, found in pairs.items() if _shows_same(found, least)}
    ends = np.array(sorted(tied), int).reshape(-1, 2)
    count = len(features)
    ties = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (count, count))
    pieces = connected_components(ties, directed=False)[1]
    kept = np.flatnonzero(pieces == np.bincount(pieces).argmax()).tolist()
    for _ in range(count - len(kept)):
        tally.lose("shows nothing that the other photos show")
    if len(kept) < 2:
        raise PhotosUnaligned(f"no two of {count} photos show the same: take them nearer together")
    number = {photo: n for n, photo in enumerate(kept)}
    return [features[photo] for photo in kept], {
        (number[a], number[b]): found
        for (a, b), found in pairs.items()
        if a in number and (min(a, b), max(a, b)) in tied
    }


def _shows_same(found: DirectedPair, least: float) -> bool:
    sure = [(map_ >= least).float().mean() for map_ in (found.confidence_a, found.confidence_b)]
    return float(min(sure)) >= _SEEN


def _aligned(
    photos: list[Features], pairs: Pairs, rough: bool, following: Following, stop: StopRequest
) -> Alignment:
    config = AlignmentConfig()
    lenses = [None if rough else photo.intrinsics for photo in photos]
    with following("aligning", float(config.most_steps)) as tell:

        def on_step(step: int, loss: float) -> None:
            _go_on(stop)
            tell(step, config.most_steps, "")

        found = align_globally(pairs, lenses, config, on_step)
    return replace(found, depths=tuple(depth.nan_to_num(0.0) for depth in found.depths))


def _go_on(stop: StopRequest) -> None:
    if stop.taking:
        raise PhotosUnaligned("stopped before the photos were aligned: nothing was written")
