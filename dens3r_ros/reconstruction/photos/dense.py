# SPDX-License-Identifier: Apache-2.0
"""One depth map of a photo from those of its pairs, in the unit of its model."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dens3r_ros.reconstruction.sparse.measured import Depths

_FEWEST = 8
"""Anchors by which a pair's depth is brought to the model's unit."""
_SPREAD = 0.1
"""Median relative deviation from the anchors beyond which a pair's depth is of another scene."""
_APART = 0.1
"""Relative difference from the mean beyond which a pair's depth is not that of the same surface."""

Maps = tuple[np.ndarray, np.ndarray]


def fused(pairs: Iterable[Maps], pixels: np.ndarray, known: Depths) -> Maps | None:
    """Depth and confidence (h, w) float32, 0 and 1 where unknown, from those of pairs; `known`
    anchors lie at `pixels` (A, 2). None where no pair agrees with the anchors."""
    scaled = [found for maps in pairs if (found := _scaled(*maps, pixels, known)) is not None]
    if not scaled:
        return None
    logs = np.stack([np.log(np.where(depth > 0, depth, 1)) for depth, _ in scaled])
    weight = np.stack([np.where(depth > 0, sure - 1, 0) for depth, sure in scaled])
    middle = _mean(logs, weight)
    weight = np.where(np.abs(logs - middle) < _APART, weight, 0)
    total = weight.sum(0)
    depth = np.where(total > 0, np.exp(_mean(logs, weight)), 0)
    confidence = 1 + total / np.maximum((weight > 0).sum(0), 1)
    return depth.astype(np.float32), confidence.astype(np.float32)


def _mean(logs: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.asarray((weight * logs).sum(0) / np.maximum(weight.sum(0), 1e-9))


def _scaled(
    depth: np.ndarray, confidence: np.ndarray, pixels: np.ndarray, known: Depths
) -> Maps | None:
    height, width = depth.shape
    x, y = np.rint(pixels[known.ids]).astype(int).T
    here = depth[y.clip(0, height - 1), x.clip(0, width - 1)]
    sure = confidence[y.clip(0, height - 1), x.clip(0, width - 1)] > 1
    good = sure & np.isfinite(here) & (here > 0)
    if good.sum() < _FEWEST:
        return None
    logs = np.log(known.values[good] / here[good])
    middle = float(np.median(logs))
    if np.median(np.abs(logs - middle)) > _SPREAD:
        return None
    finite = np.where(np.isfinite(depth), depth, 0)
    return finite * np.float32(np.exp(middle)), confidence
