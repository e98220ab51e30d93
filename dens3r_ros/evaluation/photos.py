# SPDX-License-Identifier: Apache-2.0
"""Photos in no order, aligned, against their true poses."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.evaluation.metrics.pose import direction_error, pose_auc, rotation_error
from dens3r_ros.evaluation.metrics.similarity import similarity_of_poses
from dens3r_ros.mapping.places.place_descriptor import describe, shipped_vocabulary
from dens3r_ros.reconstruction.photos.album import Album
from dens3r_ros.reconstruction.photos.collecting import collected
from dens3r_ros.reconstruction.photos.comparing import ByKeypoints, ByPointmaps
from dens3r_ros.reconstruction.photos.network_retrieval import network_retrieval
from dens3r_ros.reconstruction.photos.pair_files import PairFiles
from dens3r_ros.reconstruction.photos.pair_maps import PairMapFiles
from dens3r_ros.reconstruction.photos.retrieval import likeness
from dens3r_ros.reconstruction.sparse.models import Model, models_of
from dens3r_ros.sources.source import Source, SourceError

_FAR = 100.0
"""Metres between photos beyond which they are of different places."""


@dataclass(frozen=True)
class PhotoOptions:
    """Each `every`-th image of the source, in an order drawn by `seed`, at most `most`, 0 all;
    whether the engine is told lenses."""

    every: int = 1
    most: int = 0
    seed: int = 0
    calibrated: bool = True
    least_confidence: float = 1.5


@dataclass(frozen=True)
class PhotoFigures:
    """How the largest model compares with the truth.

    expected: photos within 100 m of most others, all where truth is in another unit; strangers:
    registered ones that are not; rotation_5, translation_5: share of pairs of expected photos whose
    relative rotation, and direction of translation, is right to 5 degrees, pairs with a photo that
    was left out being wrong; auc: of the larger of both errors; ate: root mean square after a
    similarity, and extent: diagonal of the box around true positions, both in `unit`; seconds_cpu:
    of all cores, which other programs on the machine change little.
    """

    source: str
    engine: str
    photos: int
    pairs: int
    expected: int
    registered: int
    strangers: int
    models: tuple[int, ...]
    rotation_5: float
    translation_5: float
    auc_5: float
    auc_10: float
    auc_20: float
    ate: float
    extent: float
    unit: str
    seconds: float
    seconds_solving: float
    seconds_cpu: float
    peak_mb: float


def evaluate_photos(
    source: Source,
    engine: Engine,
    options: PhotoOptions,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PhotoFigures:
    """Compare and align a source's images as `dens3r reconstruct --mode photos` does, in a folder
    that is removed again."""
    order = _order(source, options)
    with tempfile.TemporaryDirectory(prefix="dens3r_photos_") as folder:
        began, busy = time.monotonic(), time.process_time()
        album, places, truth = _filled(source, order, Path(folder), options)
        files = PairFiles(Path(folder) / "pairs")
        comparing = _comparing(engine, album, Path(folder), options)
        by_network = network_retrieval(engine)
        alike = likeness(places) if by_network is None else by_network.likeness(album)
        found = collected(alike, comparing, files, engine.info.metric, progress)
        aligning = time.monotonic()
        models = models_of(found)
        ended, busy = time.monotonic(), time.process_time() - busy
        pairs = len(list((Path(folder) / "pairs").glob("*.npz")))
    unit = "m" if getattr(source, "metric", True) else "the model's unit"
    seconds = ended - began, ended - aligning, busy
    return _figures((source.name, engine.info.name, unit), pairs, truth, models, seconds)


def _order(source: Source, options: PhotoOptions) -> list[int]:
    order = np.arange(0, len(source), options.every)
    np.random.RandomState(options.seed).shuffle(order)
    return [int(n) for n in (order[: options.most] if options.most else order)]


def _filled(
    source: Source, order: list[int], folder: Path, options: PhotoOptions
) -> tuple[Album, list, np.ndarray]:
    album, places, poses, vocabulary = Album(folder / "photos"), [], [], shipped_vocabulary()
    for index in order:
        frame, truth = source[index], source.truth(index)
        if truth is None:
            raise SourceError(f"{source.name} has no pose for image {index}: nothing to compare to")
        album.add(frame if options.calibrated else replace(frame, intrinsics=None))
        places.append(describe(frame.image, vocabulary))
        poses.append(truth.T_world_camera)
    album.close()
    return album, places, np.array(poses)


def _comparing(
    engine: Engine, album: Album, folder: Path, options: PhotoOptions
) -> ByKeypoints | ByPointmaps:
    if engine.info.name == "geometric":
        return ByKeypoints(engine, album, False)
    maps = PairMapFiles(folder / "maps")
    return ByPointmaps(engine, album, False, options.least_confidence, maps)


def _figures(
    names: tuple[str, str, str],
    pairs: int,
    truth: np.ndarray,
    models: list[Model],
    seconds: tuple[float, float, float],
) -> PhotoFigures:
    at = truth[:, :3, 3]
    near = np.linalg.norm(at[:, None] - at[None], axis=-1)
    near = near < (_FAR if names[2] == "m" else np.inf)
    expected = np.flatnonzero(near[near.sum(1).argmax()])
    registered = list(models[0].photos) if models else []
    known = [photo for photo in registered if photo in set(expected.tolist())]
    poses = {photo: models[0].T_world_camera[photo] for photo in known}
    turned, moved = _pair_errors(expected, poses, truth)
    both = np.maximum(turned, moved)
    ate = _ate(poses, truth)
    return PhotoFigures(
        source=names[0],
        engine=names[1],
        photos=len(truth),
        pairs=pairs,
        expected=len(expected),
        registered=len(known),
        strangers=len(registered) - len(known),
        models=tuple(len(model.photos) for model in models),
        rotation_5=float((turned < 5).mean()),
        translation_5=float((moved < 5).mean()),
        auc_5=pose_auc(both, 5),
        auc_10=pose_auc(both, 10),
        auc_20=pose_auc(both, 20),
        ate=ate,
        extent=float(np.linalg.norm(np.ptp(at[expected], axis=0))),
        unit=names[2],
        seconds=seconds[0],
        seconds_solving=seconds[1],
        seconds_cpu=seconds[2],
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _pair_errors(
    expected: np.ndarray, poses: dict[int, np.ndarray], truth: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(P,) degrees of rotation and of the translation's direction; 180 without a pose."""
    errors = []
    for a, b in combinations(expected.tolist(), 2):
        if a not in poses or b not in poses:
            errors.append((180.0, 180.0))
            continue
        T, wanted = (np.linalg.inv(x[a]) @ x[b] for x in (poses, truth))
        turned = rotation_error(T[:3, :3], wanted[:3, :3])
        errors.append((turned, direction_error(T[:3, 3], wanted[:3, 3])))
    table = np.array(errors).reshape(-1, 2) if errors else np.full((1, 2), np.nan)
    return table[:, 0], table[:, 1]


def _ate(poses: dict[int, np.ndarray], truth: np.ndarray) -> float:
    photos = sorted(poses)
    if len(photos) < 3:
        return float("nan")
    found, wanted = np.array([poses[n] for n in photos]), truth[photos]
    S = similarity_of_poses(found, wanted)
    if S is None:
        return float("nan")
    off = found[:, :3, 3] @ S[:3, :3].T + S[:3, 3] - wanted[:, :3, 3]
    return float(np.sqrt((off**2).sum(1).mean()))
