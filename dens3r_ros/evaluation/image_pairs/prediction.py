# SPDX-License-Identifier: Apache-2.0
"""What an engine says of one pair, brought to the pixels of the images themselves."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.engines.preprocess import restore, upright
from dens3r_ros.engines.protocol import Engine, Outputs, Placement
from dens3r_ros.evaluation.image_pairs.pair_sets import TruePair
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.matching import fast_reciprocal_matches, symmetric_matches
from dens3r_ros.geometry.pointmap import intrinsics_from_points
from dens3r_ros.geometry.pose import pose_from_points
from dens3r_ros.network.prediction import PairPrediction

_MOST_POINTS = 5000
_LEAST_POINTS = 100


@dataclass(frozen=True, eq=False)
class Predicted:
    """Maps at the images' own size, (H, W, ...), NaN where the engine did not look.

    T_a_b and focal (in the image's pixels) come from the points; None where too few are confident.
    matches_a, matches_b: (N, 2) pixels of the images, x then y.
    """

    points_a: np.ndarray
    points_b: np.ndarray
    confidence_a: np.ndarray
    confidence_b: np.ndarray
    normals_a: np.ndarray | None
    normals_b: np.ndarray | None
    T_a_b: np.ndarray | None
    focal: float | None
    matches_a: np.ndarray
    matches_b: np.ndarray
    encode_ms: float
    decode_ms: float


def predict(engine: Engine, pair: TruePair, calibrated: bool, threshold: float) -> Predicted:
    """The engine's word on a pair, told the intrinsics or not.

    Only pixels with a confidence above `threshold` count for pose and focal length. `encode_ms`
    is for one frame.
    """
    frames = [pair.a, pair.b] if calibrated else [_uncalibrated(pair.a), _uncalibrated(pair.b)]
    started = time.perf_counter()
    a, b = engine.encode(frames)
    encoded = time.perf_counter()
    raw = engine.decode([(a, b)], Outputs())
    decoded = time.perf_counter()
    maps = _maps(raw)
    camera_a = _camera(maps, threshold)
    camera_b = b.intrinsics or camera_a
    matches_a, matches_b = _matches(raw, maps, threshold)
    return Predicted(
        points_a=_whole(maps.points_a, a.placement),
        points_b=_whole(maps.points_b, b.placement),
        confidence_a=_whole(maps.confidence_a, a.placement),
        confidence_b=_whole(maps.confidence_b, b.placement),
        normals_a=None if raw.normals_a is None else _whole(raw.normals_a[0], a.placement),
        normals_b=None if raw.normals_b is None else _whole(raw.normals_b[0], b.placement),
        T_a_b=None if camera_b is None else _pose(maps, camera_b, threshold),
        focal=None if camera_a is None else _in_image_focal(camera_a, a.placement),
        matches_a=_in_image(matches_a, a.placement),
        matches_b=_in_image(matches_b, b.placement),
        encode_ms=(encoded - started) * 500,
        decode_ms=(decoded - encoded) * 1000,
    )


def _uncalibrated(frame: Frame) -> Frame:
    return replace(frame, intrinsics=None)


@dataclass(frozen=True, eq=False)
class _Maps:
    """One pair's points (h, w, 3) and confidence (h, w) at the engine's resolution, on the CPU."""

    points_a: Tensor
    points_b: Tensor
    confidence_a: Tensor
    confidence_b: Tensor


def _maps(raw: PairPrediction) -> _Maps:
    found = (raw.points_a, raw.points_b, raw.confidence_a, raw.confidence_b)
    given = [maps[0].detach().float().cpu() for maps in found if maps is not None]
    if len(given) < len(found):
        raise ValueError("the engine gives no points with confidence, which evaluation needs")
    return _Maps(*given)


def _whole(maps: Tensor, placement: Placement) -> np.ndarray:
    return restore(maps.detach().float().cpu()[None], placement)[0].numpy()


def _camera(maps: _Maps, threshold: float) -> Intrinsics | None:
    """The camera that a's points show, taken for b's too where that is not known."""
    sure = maps.confidence_a > threshold
    if int(sure.sum()) < _LEAST_POINTS:
        return None
    return intrinsics_from_points(maps.points_a, torch.where(sure, maps.confidence_a, 1.0))


def _in_image_focal(camera: Intrinsics, placement: Placement) -> float:
    placed = upright(placement)
    return camera.fx * placed.original[1] / placed.resized[1]


def _pose(maps: _Maps, camera: Intrinsics, threshold: float) -> np.ndarray | None:
    rows, columns = (maps.confidence_b > threshold).nonzero().unbind(-1)
    if len(rows) < _LEAST_POINTS:
        return None
    chosen = slice(None, None, len(rows) // _MOST_POINTS + 1)
    pixels = torch.stack([columns, rows], -1)[chosen]
    points = maps.points_b[rows[chosen], columns[chosen]]
    found = pose_from_points(points, pixels, camera, noise="points")
    return None if found is None else found.T_world_camera.numpy()


def _matches(raw: PairPrediction, maps: _Maps, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of a and b at the engine's resolution, by the best that it offers."""
    if raw.pixels_b_in_a is not None and raw.pixels_confidence is not None:
        rows, columns = (raw.pixels_confidence[0] > threshold).nonzero().unbind(-1)
        pixels_a = raw.pixels_b_in_a[0, rows, columns]
        return pixels_a.double().numpy(), torch.stack([columns, rows], -1).double().numpy()
    if raw.descriptors_a is not None and raw.descriptors_b is not None:
        found = symmetric_matches([(raw.descriptors_a[0], raw.descriptors_b[0])])
    else:
        found = fast_reciprocal_matches(
            maps.points_a, maps.points_b, similarity="euclidean", tolerance=3.0
        )
    return found.pixels_a.double().cpu().numpy(), found.pixels_b.double().cpu().numpy()


def _in_image(pixels: np.ndarray, placement: Placement) -> np.ndarray:
    placed = upright(placement)
    stretch = np.array(placed.original[::-1]) / np.array(placed.resized[::-1])
    return (pixels + [placed.left, placed.top] + 0.5) * stretch - 0.5
