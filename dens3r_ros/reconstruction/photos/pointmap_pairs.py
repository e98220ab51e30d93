# SPDX-License-Identifier: Apache-2.0
"""What two photos have in common by an engine that predicts points of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import poselib
import torch

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.matching import fast_reciprocal_matches
from dens3r_ros.reconstruction.photos.grid import grid_pixels, grid_step
from dens3r_ros.reconstruction.sparse.measured import AnchorSightings, Depths, MeasuredPair

_FEWEST = 20
_SHARE = 0.04
"""Least share of a photo's anchors that the other must show."""
_SAME_DEPTH = 0.1
"""Relative difference of depth up to which two predictions show the same surface."""
_INLIERS = 0.5
_SEARCH = {"max_reproj_error": 4.0, "seed": 0, "max_iterations": 300, "min_iterations": 30}
_REFINED = {"loss_type": "CAUCHY", "loss_scale": 1.0}
_MOST = 1500
_TOLERANCE = 5.0
_LEAST_SHIFT = 0.01
"""Of the depth: below it a pair tells nothing of where photos stand to each other."""


@dataclass(frozen=True, eq=False)
class PredictedPair:
    """Points (h, w, 3) of photos a and b in a's frame, confidence (h, w), descriptors (h, w, D)
    where there are any; the least confidence that is believed."""

    points_a: np.ndarray
    points_b: np.ndarray
    confidence_a: np.ndarray
    confidence_b: np.ndarray
    descriptors_a: np.ndarray | None
    descriptors_b: np.ndarray | None
    least: float


def measured_by_points(
    a: int, b: int, pair: PredictedPair, camera_a: Intrinsics, camera_b: Intrinsics
) -> MeasuredPair | None:
    """The comparison; None where the photos do not show the same."""
    T_b_a = _pose_of_b(pair, camera_b)
    if T_b_a is None:
        return None
    at_a, at_b = grid_pixels(pair.points_a.shape[:2]), grid_pixels(pair.points_b.shape[:2])
    moved = pair.points_a @ T_b_a[:3, :3].T + T_b_a[:3, 3]
    own_b = pair.points_b @ T_b_a[:3, :3].T + T_b_a[:3, 3]
    if pair.descriptors_a is not None and pair.descriptors_b is not None:
        step = grid_step(pair.points_a.shape[:2])
        seen_b = _by_descriptors(pair.descriptors_b, pair.descriptors_a, at_b, step)
        seen_a = _by_descriptors(pair.descriptors_a, pair.descriptors_b, at_a, step)
    else:
        seen_b = _landing(at_b, pair.points_b, pair.points_a, camera_a)
        seen_a = _landing(at_a, moved, own_b, camera_b)
    sure_a, sure_b = pair.confidence_a >= pair.least, pair.confidence_b >= pair.least
    sightings = (
        _sightings(b, a, seen_b, sure_b[at_b[:, 1], at_b[:, 0]], sure_a),
        _sightings(a, b, seen_a, sure_a[at_a[:, 1], at_a[:, 0]], sure_b),
    )
    support = min(len(one.ids) for one in sightings)
    if support < max(_FEWEST, _SHARE * min(len(at_a), len(at_b))):
        return None
    depths = (_depths(at_a, pair.points_a, sure_a), _depths(at_b, own_b, sure_b))
    if min(len(one.ids) for one in depths) < _FEWEST:
        return None
    shift = np.linalg.norm(T_b_a[:3, 3]) / np.median(depths[1].values)
    T_a_b = np.linalg.inv(T_b_a)
    return MeasuredPair(a, b, T_a_b, support, bool(shift > _LEAST_SHIFT), *depths, sightings)


def _pose_of_b(pair: PredictedPair, camera: Intrinsics) -> np.ndarray | None:
    """T_b_a by where b's pixels are predicted to lie."""
    step = max(1, int(np.sqrt(pair.points_b[..., 0].size / (2 * _MOST))))
    sure = pair.confidence_b[::step, ::step] >= pair.least
    sure &= np.isfinite(pair.points_b[::step, ::step]).all(-1)
    if sure.sum() < 2 * _FEWEST:
        return None
    y, x = np.nonzero(sure)
    pixels = np.stack([x, y], 1) * float(step)
    points = pair.points_b[::step, ::step][sure].astype(float)
    told = {
        "model": "PINHOLE",
        "width": camera.width,
        "height": camera.height,
        "params": [camera.fx, camera.fy, camera.cx, camera.cy],
    }
    found, info = poselib.estimate_absolute_pose(pixels, points, told, _SEARCH, _REFINED)
    if info["num_inliers"] < _INLIERS * len(pixels):
        return None
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = np.array(found.R), np.array(found.t)
    return T


def _landing(
    at: np.ndarray, points: np.ndarray, others: np.ndarray, camera: Intrinsics
) -> np.ndarray:
    """(A, 2) pixels of the other camera, in whose frame both pointmaps are, at which anchors are
    seen; NaN where something else is seen there."""
    mine = points[at[:, 1], at[:, 0]].astype(float)
    depth = np.where(mine[:, 2] > 1e-6, mine[:, 2], np.nan)
    there = mine[:, :2] / depth[:, None] * [camera.fx, camera.fy] + [camera.cx, camera.cy]
    height, width = others.shape[:2]
    with np.errstate(invalid="ignore"):
        inside = ((there > -0.5) & (there < np.array([width, height]) - 0.5)).all(1)
    x, y = np.rint(np.where(inside[:, None], there, 0)).astype(int).clip(0).T
    seen = others[y.clip(max=height - 1), x.clip(max=width - 1), 2]
    with np.errstate(invalid="ignore"):
        same = inside & (np.abs(seen / depth - 1) < _SAME_DEPTH)
    return np.where(same[:, None], there, np.nan)


def _by_descriptors(mine: np.ndarray, others: np.ndarray, at: np.ndarray, step: int) -> np.ndarray:
    """The same by descriptors, of anchors that come back to themselves."""
    maps = torch.from_numpy(mine), torch.from_numpy(others)
    found = fast_reciprocal_matches(*maps, subsample=step, tolerance=_TOLERANCE)
    columns = len(np.unique(at[:, 0]))
    place = (found.pixels_a[:, 1] // step) * columns + found.pixels_a[:, 0] // step
    there = np.full((len(at), 2), np.nan)
    there[place.numpy()] = found.pixels_b.numpy()
    return there


def _sightings(
    anchor: int, other: int, there: np.ndarray, sure: np.ndarray, sure_there: np.ndarray
) -> AnchorSightings:
    seen = np.isfinite(there).all(1) & sure
    x, y = np.rint(np.where(seen[:, None], there, 0)).astype(int).T
    height, width = sure_there.shape
    seen &= sure_there[y.clip(0, height - 1), x.clip(0, width - 1)]
    return AnchorSightings(anchor, other, np.flatnonzero(seen), there[seen].astype(np.float32))


def _depths(at: np.ndarray, points: np.ndarray, sure: np.ndarray) -> Depths:
    depth = points[at[:, 1], at[:, 0], 2]
    good = sure[at[:, 1], at[:, 0]] & np.isfinite(depth) & (depth > 1e-6)
    return Depths(np.flatnonzero(good), depth[good].astype(np.float64))
