# SPDX-License-Identifier: Apache-2.0
"""The floor that a camera stands above, found in a pointmap whose up is known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from dens3r_ros.geometry.normals import normals_from_points

_ACROSS = 64
"""Blocks across a pointmap that are averaged before slopes are looked at; blocks are square."""
_LEVEL = np.cos(np.deg2rad(12.0))
"""Cosine between up and the normal of what is called level."""
_BAND = 0.06
"""Relative difference of heights below the camera within one floor."""
_MIN_BLOCKS = 25
_MIN_SHARE = 0.05
"""Share of the known blocks that a floor must cover."""
_BELOW = 0.1
"""Share of a floor's blocks that may lie below it: with more it is a table, or a landing."""


@dataclass(frozen=True)
class Floor:
    """A level plane below a camera: height of the camera above it, in the points' unit, and the
    share of what the camera sees that belongs to it."""

    height: float
    share: float


def find_floor(
    points: np.ndarray, confidence: np.ndarray, up: np.ndarray, min_confidence: float = 1.5
) -> Floor | None:
    """The floor of an (h, w, 3) pointmap in the optical frame, in which `up` (3,) is known; None
    where too little of one is seen."""
    calm = _averaged(points, confidence, min_confidence)
    normals, known = (map_.numpy() for map_ in normals_from_points(torch.from_numpy(calm)))
    if known.sum() < _MIN_BLOCKS:
        return None
    seen = calm[known].astype(np.float64)
    below = -(seen @ up)
    flat = (normals[known] @ up > _LEVEL) & (below > 0)
    if flat.sum() < max(_MIN_BLOCKS, _MIN_SHARE * len(seen)):
        return None
    height = _lowest(below[flat])
    level = flat & (np.abs(below / height - 1) < _BAND)
    deeper = (below > (1 + 2 * _BAND) * height).sum()
    if level.sum() < max(_MIN_BLOCKS, _MIN_SHARE * len(seen)) or deeper > _BELOW * level.sum():
        return None
    return Floor(_distance(seen[level], up), float(level.sum() / len(seen)))


def _distance(points: np.ndarray, up: np.ndarray) -> float:
    """Of the camera from the plane through points that lie about level, whose normal is nearly
    `up`."""
    middle = np.median(points, 0)
    off = points - middle
    near = np.abs(off @ up) < 2 * np.median(np.abs(off @ up)) + 1e-9
    _, _, axes = np.linalg.svd(off[near], full_matrices=False)
    normal = axes[2] * np.sign(axes[2] @ up)
    if normal @ up < _LEVEL:
        normal = up
    return float(-np.median(points @ normal))


def _averaged(points: np.ndarray, confidence: np.ndarray, least: float) -> np.ndarray:
    """(h / b, w / b, 3) means of blocks; 0 where a block is not mostly known."""
    block = max(points.shape[1] // _ACROSS, 1)
    rows, columns = (side // block for side in confidence.shape)
    cut = (slice(rows * block), slice(columns * block))
    good = (confidence[cut] >= least) & np.isfinite(points[cut].sum(-1))
    whole = np.where(good[..., None], points[cut], 0).astype(np.float32)
    # Of whole blocks, an area's mean is exact.
    share, mean = (
        cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA)
        for values in (good.astype(np.float32), whole)
    )
    known = share > 0.8
    return np.where(known[..., None], mean / np.maximum(share, 1e-6)[..., None], 0)


def _lowest(below: np.ndarray) -> float:
    """Among depths below the camera around which many lie, the deepest."""
    order = np.sort(below)
    count = np.searchsorted(order, order * (1 + _BAND)) - np.searchsorted(
        order, order * (1 - _BAND)
    )
    many = order[count >= 0.5 * count.max()]
    near = many[many > many[-1] * (1 - 2 * _BAND)]
    return float(np.median(near))
