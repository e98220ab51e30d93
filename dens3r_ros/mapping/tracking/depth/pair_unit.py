# SPDX-License-Identifier: Apache-2.0
"""How long the unit is in which one prediction of a pair is given."""

from __future__ import annotations

import numpy as np

from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.tracking.matching import median, sample_nearest
from dens3r_ros.mapping.tracking.observation import Observation
from dens3r_ros.mapping.tracking.resection import MIN_MATCHES


def pair_unit(
    seen: Observation,
    keyframe_pixels: np.ndarray,
    frame_pixels: np.ndarray,
    expected: np.ndarray,
    config: TrackingConfig,
) -> float | None:
    """In the unit of the distances (N,) from the frame that are `expected` of the points seen at
    these pixels (N, 2) of both views; None where the pair tells no depth.

    Both views' depths are asked, but for an engine to whom each costs extra.
    """
    x, y = keyframe_pixels.T
    told = [(seen.keyframe_points[y, x], seen.keyframe_confidence[y, x])]
    if not seen.deferred:
        maps = seen.frame.points, seen.frame.confidence
        told.append((sample_nearest(maps[0], frame_pixels), sample_nearest(maps[1], frame_pixels)))
    middles = []
    for points, confidence in told:
        sure = confidence > config.min_confidence
        if sure.sum() >= MIN_MATCHES:
            distance = np.linalg.norm(points[sure], axis=1).clip(1e-9)
            middles.append(median(np.log(expected[sure].clip(1e-9) / distance)))
    return float(np.exp(np.mean(middles))) if middles else None
