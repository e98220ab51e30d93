# SPDX-License-Identifier: Apache-2.0
"""Taking smooth depth errors out of a keyframe by what its frames saw along epipolar lines.

Engines bend depth slowly across the view, and the mean over many pairs only thins that out. Points
that were followed on the images tell it apart: where depth is wrong, they lie off along their
epipolar lines in every frame with parallax. Only the shape is corrected; the unit stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.resection import resect, shown_by_depth
from dens3r_ros.mapping.tracking.tracker import Track

_KNOTS = (4, 6)
"""Rows and columns of the correction, linear in between."""
_ROUNDS = 2
_CAUTION = 3.0
"""Factor on a followed point's error, for poses that are solved from the same points."""
_MOST = 8
"""Frames, those with the largest parallax, that are looked at."""


def straighten(keyframe: Keyframe, tracks: Sequence[Track], config: TrackingConfig) -> None:
    """Correct the keyframe's points by the frames that were tracked against it."""
    seen = [found for found in tracks if found.by_image is not None]
    seen = sorted(seen, key=lambda found: -found.parallax)[:_MOST]
    if not seen or config.sigma_depth <= 0:
        return
    for _ in range(_ROUNDS):
        field = _field(keyframe, seen, config)
        keyframe.canonical.points *= np.exp(field)[..., None]
    keyframe.revision += 1


def _field(keyframe: Keyframe, tracks: Sequence[Track], config: TrackingConfig) -> np.ndarray:
    """(h, w) float32 correction of the logarithm of depth, zero in the mean."""
    knots = _KNOTS[0] * _KNOTS[1]
    information = np.eye(knots) / config.sigma_depth**2
    pull = np.zeros(knots)
    for found in tracks:
        rows, weights, wanted = _measured(keyframe, found, config)
        information += (rows * weights[:, None]).T @ rows
        pull += rows.T @ (weights * wanted)
    height, width = keyframe.size
    down, across = _hats(np.arange(height), height, 0), _hats(np.arange(width), width, 1)
    field = down @ np.linalg.solve(information, pull).reshape(_KNOTS) @ across.T
    weight = keyframe.canonical.weight
    mean = float((field * weight).sum() / max(float(weight.sum()), 1e-9))
    return (field - mean).astype(np.float32)


def _measured(
    keyframe: Keyframe, found: Track, config: TrackingConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per followed point: its share of every knot, the weight, and the correction it asks for."""
    sightings = found.by_image
    assert sightings is not None
    matches = sightings.matches(keyframe)
    start = np.linalg.inv(found.T_keyframe_frame)
    solved = resect(matches, start, sightings.sigma, config)
    off, by_depth = shown_by_depth(matches, solved.T_frame_keyframe)
    strength = (by_depth**2).sum(1)
    good = solved.agree & (strength > 1e-8)
    wanted = -(off * by_depth).sum(1)[good] / strength[good]
    weights = strength[good] / (_CAUTION * sightings.sigma) ** 2 / (1 + np.trace(found.doubt))
    weights *= np.minimum(1.0, 2 * config.sigma_depth / np.abs(wanted).clip(1e-9))
    x, y = sightings.pixels[good].T
    height, width = keyframe.size
    down, across = _hats(y, height, 0), _hats(x, width, 1)
    rows = (down[:, :, None] * across[:, None, :]).reshape(len(x), _KNOTS[0] * _KNOTS[1])
    return rows, weights, wanted


def _hats(positions: np.ndarray, length: int, axis: int) -> np.ndarray:
    """(N, K) shares of the knots along one axis, linear in between."""
    place = positions / (length - 1) * (_KNOTS[axis] - 1)
    return np.maximum(0.0, 1 - np.abs(place[:, None] - np.arange(_KNOTS[axis])))
