# SPDX-License-Identifier: Apache-2.0
"""One pointmap of a keyframe from the predictions of many pairs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.config import FusionConfig

CARRIED = 0.15
"""Share of its weight that a point keeps when it is carried into another keyframe."""
_KEPT = 0.7
"""Share of its mean confidence that it keeps there where the prediction of that keyframe's own says
nothing of its depth."""


@dataclass(eq=False)
class Canonical:
    """A keyframe's own pointmap, folded from every prediction of it.

    points (h, w, 3) float32 in its optical frame; weight (h, w) float32: summed confidence above
    1; folds: how many predictions were taken in. `rays` (h, w, 3), z = 1, pin the points to their
    pixels where the camera is known.
    """

    points: np.ndarray
    weight: np.ndarray
    folds: float = 1
    rays: np.ndarray | None = None

    @property
    def confidence(self) -> np.ndarray:
        """(h, w) mean confidence, 1 to infinity."""
        return 1 + self.weight / self.folds

    @property
    def median_depth(self) -> float:
        """Of the known points; 1 where none is."""
        known = self.weight[::8, ::8] > 0
        return float(np.median(self.points[::8, ::8, 2][known])) if known.any() else 1.0

    def pin(self, rays: np.ndarray) -> None:
        """Keep the depths, on other rays (h, w, 3) of z = 1, from now on."""
        self.rays = rays
        self.points = rays * self.points[..., 2:]

    def inherit(
        self, source: Canonical, points: np.ndarray, weight: np.ndarray, config: FusionConfig
    ) -> None:
        """Take in what was carried here from another keyframe's pointmap. Where nothing else is
        known it stays nearly as sure as it was: in a turn nothing else may be known for long."""
        if config.mode == "weighted":
            alone = (self.weight <= 0) & (weight > 0)
            self.take(points, weight, config)
            self.folds += CARRIED * source.folds
            kept = _KEPT * self.folds / (CARRIED * source.folds) * weight
            self.weight = np.where(alone, np.minimum(kept, config.max_weight), self.weight)

    def fold(self, points: np.ndarray, confidence: np.ndarray, config: FusionConfig) -> None:
        """Take in one more prediction, in this keyframe's frame and unit; see `take`."""
        self.take(points, np.maximum(confidence - 1, 0), config)
        self.folds += 1
        self.folds = self.folds if config.mode == "weighted" else 1

    def keep(self, covered: np.ndarray) -> None:
        """Let pixels that are covered (h, w), 0 to 1, count no less for the prediction to come,
        which tells nothing of them."""
        self.weight = self.weight * (1 + covered / np.float32(self.folds))

    def fill(self, depth: np.ndarray, confidence: np.ndarray, config: FusionConfig) -> None:
        """Take in (h, w) depths where they are surer than what is known; elsewhere nothing counts
        less for it."""
        weight = self.folds * (confidence - 1)
        self.take(depth, np.where(weight > self.weight, weight, 0), config)

    def take(self, points: np.ndarray, weight: np.ndarray, config: FusionConfig) -> None:
        """Move the points towards `points` (h, w, 3) by the weights (h, w); where they are pinned,
        the depths (h, w) are enough."""
        depth = points if points.ndim == 2 else points[..., 2]
        weight = weight * (depth > 1e-6)
        if config.mode == "latest":
            share = (weight > 0).astype(np.float32)
            self.weight = np.where(weight > 0, weight, self.weight)
        else:
            total = self.weight + weight
            share = weight / np.maximum(total, 1e-9)
            self.weight = np.minimum(total, config.max_weight)
        if self.rays is not None:
            mixed = self.points[..., 2] + share * (depth - self.points[..., 2])
            np.multiply(self.rays, cv2.merge((mixed, mixed, mixed)), out=self.points)
        else:
            self.points += share[..., None] * (points - self.points)


def canonical_from(
    points: np.ndarray, confidence: np.ndarray, scale: float, rays: np.ndarray | None
) -> Canonical:
    """A first pointmap from one prediction, times `scale`; pinned to `rays` where given."""
    scaled = points * np.float32(scale)
    if rays is not None:
        scaled = rays * scaled[..., 2:]
    return Canonical(scaled, np.maximum(confidence - 1, 0).astype(np.float32), 1, rays)


def carried(
    source: Canonical,
    T_target_source: np.ndarray,
    camera: Intrinsics,
    share: float = CARRIED,
) -> tuple[np.ndarray, np.ndarray]:
    """What `camera` (the target's) sees of another pointmap: points (h, w, 3), and `share` of the
    weight (h, w).

    Each point goes to its nearest pixel, the nearest point wins; weight is 0 where none fell.
    """
    moved = cv2.transform(source.points, T_target_source[:3].astype(np.float32))
    x, y, depth = cv2.split(moved)
    ahead = (source.weight > 0) & (depth > 1e-6)
    nearness = 1 / np.where(ahead, depth, np.float32(1))
    x = np.rint(x * nearness * np.float32(camera.fx) + np.float32(camera.cx))
    y = np.rint(y * nearness * np.float32(camera.fy) + np.float32(camera.cy))
    seen = ahead & (x >= 0) & (y >= 0) & (x < camera.width) & (y < camera.height)
    used = np.flatnonzero(seen)
    used = used[_far_first(nearness.ravel()[used])]
    winner = np.full(camera.height * camera.width, -1)
    row, column = y.ravel()[used].astype(np.intp), x.ravel()[used].astype(np.intp)
    winner[row * camera.width + column] = used
    hit = np.flatnonzero(winner >= 0)
    points = np.zeros((camera.height, camera.width, 3), np.float32)
    weight = np.zeros((camera.height, camera.width), np.float32)
    points.reshape(-1, 3)[hit] = moved.reshape(-1, 3).take(winner[hit], axis=0)
    weight.ravel()[hit] = np.float32(share) * source.weight.ravel()[winner[hit]]
    return points, weight


def _far_first(nearness: np.ndarray) -> np.ndarray:
    """(N,) order of inverse depths (N,), far to near, to a 65,000th of their range: short integers
    are sorted many times faster than floats."""
    if not len(nearness):
        return np.zeros(0, int)
    low, high = nearness.min(), nearness.max()
    steps = (nearness - low) * (65535 / max(high - low, 1e-12))
    return np.argsort(steps.astype(np.uint16), kind="stable")
