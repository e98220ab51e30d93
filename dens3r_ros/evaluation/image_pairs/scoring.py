# SPDX-License-Identifier: Apache-2.0
"""The paper's tables for two views, of any engine on any pairs whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.evaluation.image_pairs.pair_sets import PairSet, TruePair
from dens3r_ros.evaluation.image_pairs.parallax import parallax_pixels
from dens3r_ros.evaluation.image_pairs.prediction import Predicted, predict
from dens3r_ros.evaluation.image_pairs.true_maps import TrueMaps, true_maps
from dens3r_ros.evaluation.metrics.depth import (
    depth_errors,
    errors_by_confidence,
    median_scale,
    point_error,
)
from dens3r_ros.evaluation.metrics.matching import reprojection_errors
from dens3r_ros.evaluation.metrics.normals import normal_angles
from dens3r_ros.evaluation.metrics.pose import NO_POSE, direction_error, rotation_error

_LEAST_PIXELS = 50
_PARALLAX_SHARE = 0.6
"""Of the pixels with parallax, those whose depth error is told: the most confident."""
_MATCH_LIMITS = (1, 3, 4, 5)
_NORMAL_LIMITS = {"normal_11": 11.25, "normal_22": 22.5, "normal_30": 30.0}


def evaluate_pairs(
    engine: Engine, pairs: PairSet, calibrated: bool = False, threshold: float = 1.5
) -> Iterator[dict]:
    """A dictionary of figures for each pair; what a pair cannot tell is missing from it.

    `calibrated` tells the engine the intrinsics. Pixels above the confidence `threshold` count as
    confident.
    """
    for pair in pairs:
        yield score_pair(pair, predict(engine, pair, calibrated, threshold), threshold)


def score_pair(pair: TruePair, predicted: Predicted, threshold: float) -> dict:
    """Every figure of one pair."""
    truth = true_maps(pair)
    return {
        **_geometry(truth, predicted, threshold),
        **_where_parallax(parallax_pixels(pair, truth), truth, predicted, threshold),
        **_normals(truth, predicted),
        **_pose(truth, predicted),
        **_matches(pair, truth, predicted),
        "focal_error": _focal_error(pair, predicted),
        "encode_ms": predicted.encode_ms,
        "decode_ms": predicted.decode_ms,
    }


def _geometry(truth: TrueMaps, predicted: Predicted, threshold: float) -> dict:
    """Depth of view a, and points of both, on one scale: that of a's depth in the median."""
    seen = _known(truth.points_a) & _usable(predicted.points_a)
    if seen.sum() < _LEAST_PIXELS:
        return {"coverage": float((predicted.confidence_a > threshold).mean())}
    z, true_z = predicted.points_a[seen][:, 2], truth.points_a[seen][:, 2]
    confidence = predicted.confidence_a[seen]
    scale = median_scale(z, true_z)
    found = {
        "point_error_a": point_error(scale * predicted.points_a[seen], truth.points_a[seen]),
        **asdict(depth_errors(scale * z, true_z)),
        "coverage": float((confidence > threshold).mean()),
    }
    seen_b = _known(truth.points_b) & np.isfinite(predicted.points_b).all(-1)
    if seen_b.sum() >= _LEAST_PIXELS:
        points_b = scale * predicted.points_b[seen_b]
        found["point_error_b"] = point_error(points_b, truth.points_b[seen_b])
    return found | _by_confidence(z, true_z, confidence)


def _where_parallax(
    seen: np.ndarray, truth: TrueMaps, predicted: Predicted, threshold: float
) -> dict:
    """Of pixels of a with parallax: how many are confident, and how wrong most of them are."""
    seen = seen & _usable(predicted.points_a)
    if seen.sum() < _LEAST_PIXELS:
        return {}
    z, true_z = predicted.points_a[seen][:, 2], truth.points_a[seen][:, 2]
    confidence = predicted.confidence_a[seen]
    surest = np.argsort(-confidence, kind="stable")[: int(_PARALLAX_SHARE * len(z))]
    return {
        "parallax_share": float(seen.sum() / _known(truth.points_a).sum()),
        "parallax_coverage": float((confidence > threshold).mean()),
        "parallax_depth_error": _aligned_error(z[surest], true_z[surest]),
    }


def _aligned_error(z: np.ndarray, true_z: np.ndarray) -> float:
    return float(np.median(np.abs(z * median_scale(z, true_z) / true_z - 1)))


def _by_confidence(z: np.ndarray, true_z: np.ndarray, confidence: np.ndarray) -> dict:
    """Relative depth errors, on the scale of the most confident half."""
    half = np.argsort(-confidence, kind="stable")[: len(z) // 2]
    error = np.abs(z * median_scale(z[half], true_z[half]) / true_z - 1)
    return {
        "confident_half_depth_error": float(np.median(error[half])),
        "confidence_deciles": errors_by_confidence(error, confidence),
    }


def _normals(truth: TrueMaps, predicted: Predicted) -> dict:
    angles = [
        normal_angles(estimated[known], true[known])
        for estimated, true in (
            (predicted.normals_a, truth.normals_a),
            (predicted.normals_b, truth.normals_b),
        )
        if estimated is not None
        for known in [_known(true) & np.isfinite(estimated).all(-1)]
    ]
    both = np.concatenate(angles) if angles else np.empty(0)
    if len(both) < _LEAST_PIXELS:
        return {}
    return {
        "normal_mean_deg": float(both.mean()),
        "normal_median_deg": float(np.median(both)),
        **{name: float((both < limit).mean()) for name, limit in _NORMAL_LIMITS.items()},
    }


def _pose(truth: TrueMaps, predicted: Predicted) -> dict:
    """A pair without a pose is as wrong as can be, and `posed` says that it was not claimed."""
    if predicted.T_a_b is None:
        return {"rotation_deg": NO_POSE, "translation_deg": NO_POSE, "posed": False}
    T, T_true = predicted.T_a_b, truth.T_a_b
    return {
        "rotation_deg": rotation_error(T[:3, :3], T_true[:3, :3]),
        "translation_deg": direction_error(T[:3, 3], T_true[:3, 3]),
        "posed": True,
    }


def _matches(pair: TruePair, truth: TrueMaps, predicted: Predicted) -> dict:
    at = predicted.matches_b.round().astype(int)
    miss = reprojection_errors(
        predicted.matches_a, at, pair.truth_b.depth, truth.T_a_b, pair.cameras
    )
    if not len(miss):
        return {"matches": 0}
    shares = {f"match_{limit}px": float((miss <= limit).mean()) for limit in _MATCH_LIMITS}
    return {"matches": len(miss), **shares}


def _focal_error(pair: TruePair, predicted: Predicted) -> float:
    if predicted.focal is None:
        return float("nan")
    return abs(predicted.focal / pair.cameras[0].fx - 1)


def _known(maps: np.ndarray) -> np.ndarray:
    return np.isfinite(maps).all(-1)


def _usable(points: np.ndarray) -> np.ndarray:
    return _known(points) & (points[..., 2] > 0)
