# SPDX-License-Identifier: Apache-2.0
"""The global alignment of a few images of a sequence against the truth."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import torch

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.evaluation.metrics.pose import rotation_error
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.registration import register_similarity
from dens3r_ros.geometry.sim3 import act
from dens3r_ros.reconstruction.global_alignment import Alignment, align_globally
from dens3r_ros.reconstruction.pair_graph import make_pairs
from dens3r_ros.reconstruction.pair_prediction import predict_pairs
from dens3r_ros.sources.source import Source

_FEWEST_POSES = 3
"""Positions from which on a similarity to the true ones is determined."""


@dataclass(frozen=True)
class AlignmentOptions:
    """Which images, paired how; see `pair_graph.make_pairs`."""

    images: int = 10
    graph: str = "complete"
    calibrated: bool = False


@dataclass(frozen=True)
class AlignmentFigures:
    """What came out, as far as the truth is known, else None.

    loss: weighted distance of predicted points from the scene, which alone says little; ate_m:
    root mean square of the positions' errors in metres after the best similarity; rotation_deg:
    median error of the rotation between two images; focal_error: relative, the median.
    """

    sequence: str
    images: int
    pairs: int
    loss: float
    ate_m: float | None
    rotation_deg: float | None
    focal_error: float | None
    seconds_pairs: float
    seconds_alignment: float


def evaluate_alignment(
    source: Source,
    engine: Engine,
    options: AlignmentOptions,
    progress: Callable[[int, int], None] | None = None,
) -> AlignmentFigures:
    """Predict and align images spread evenly over a source; `progress` hears of pairs done, and
    of how many. ValueError where a source is too short."""
    count = min(options.images, len(source))
    if count < 2:
        raise ValueError(f"{source.name} has {len(source)} image(s): an alignment needs two")
    shown = np.linspace(0, len(source) - 1, count).round().astype(int).tolist()
    whole = [source[index] for index in shown]
    frames = whole if options.calibrated else [replace(one, intrinsics=None) for one in whole]
    pairs = make_pairs(count, options.graph)
    began = time.perf_counter()
    predictions, cameras = predict_pairs(engine, frames, pairs, progress)
    predicted = time.perf_counter()
    found = align_globally(predictions, cameras)
    ended = time.perf_counter()
    ate, turned = _pose_errors(found, source, shown)
    return AlignmentFigures(
        source.name,
        count,
        len(pairs),
        found.loss,
        ate,
        turned,
        None if options.calibrated else _focal_error(found, whole),
        predicted - began,
        ended - predicted,
    )


def _pose_errors(
    found: Alignment, source: Source, shown: list[int]
) -> tuple[float | None, float | None]:
    """`ate_m` and `rotation_deg`; positions on one line determine no similarity."""
    truths = {n: source.truth(index) for n, index in enumerate(shown)}
    true = {n: truth.T_world_camera for n, truth in truths.items() if truth is not None}
    T = {n: found.T_world_camera[n].numpy() for n in true}
    turned = [
        rotation_error(T[a][:3, :3].T @ T[b][:3, :3], true[a][:3, :3].T @ true[b][:3, :3])
        for a, b in combinations(true, 2)
    ]
    return _position_error(T, true), float(np.median(turned)) if turned else None


def _position_error(T: dict[int, np.ndarray], true: dict[int, np.ndarray]) -> float | None:
    if len(true) < _FEWEST_POSES:
        return None
    here = torch.from_numpy(np.stack([pose[:3, 3] for pose in T.values()]))
    there = torch.from_numpy(np.stack([pose[:3, 3] for pose in true.values()]))
    try:
        off = act(register_similarity(here, there), here) - there
    except ValueError:  # on one line
        return None
    return float(off.norm(dim=-1).square().mean().sqrt())


def _focal_error(found: Alignment, frames: list[Frame]) -> float | None:
    """Focal lengths are compared by the angle across the longer side."""
    errors = [
        abs(
            camera.fx / max(camera.width, camera.height) * max(true.width, true.height) / true.fx
            - 1
        )
        for camera, frame in zip(found.intrinsics, frames, strict=True)
        if (true := frame.intrinsics) is not None
    ]
    return float(np.median(errors)) if errors else None
