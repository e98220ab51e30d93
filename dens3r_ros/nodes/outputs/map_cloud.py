# SPDX-License-Identifier: Apache-2.0
"""The map as one voxel-reduced cloud, of which only changed keyframes are computed anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dens3r_ros.mapping.update import KeyframeView

_LIMIT = 1 << 20
_Part = tuple[tuple[int, float, float, float], np.ndarray, np.ndarray]


@dataclass
class MapCloud:
    """Keeps each keyframe's share of the cloud until its pose or points change."""

    _parts: dict[int, _Part] = field(default_factory=dict)

    def update(
        self,
        keyframes: Sequence[KeyframeView],
        voxel: float,
        min_confidence: float,
        scale: float = 1.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) float32 points in `map` and (N, 3) uint8 colours, at most one a voxel.

        `scale` is the length of the keyframes' unit in the one that is published.
        """
        self._parts = {k.id: self._part(k, voxel, min_confidence, scale) for k in keyframes}
        if not self._parts:
            return np.empty((0, 3), np.float32), np.empty((0, 3), np.uint8)
        points = np.concatenate([part[1] for part in self._parts.values()])
        colours = np.concatenate([part[2] for part in self._parts.values()])
        kept = first_of_each_voxel(points, voxel)
        return points[kept], colours[kept]

    def _part(
        self, keyframe: KeyframeView, voxel: float, min_confidence: float, scale: float
    ) -> _Part:
        key = (keyframe.revision, voxel, min_confidence, scale)
        known = self._parts.get(keyframe.id)
        if known is not None and known[0] == key:
            return known
        fit = (keyframe.confidence >= min_confidence) & np.isfinite(keyframe.points).all(-1)
        R, t = keyframe.T_map_camera[:3, :3], keyframe.T_map_camera[:3, 3]
        points = ((keyframe.points[fit] @ R.T + t) * scale).astype(np.float32)
        kept = first_of_each_voxel(points, voxel)
        return key, points[kept], keyframe.colours[fit][kept]


def first_of_each_voxel(points: np.ndarray, voxel: float) -> np.ndarray:
    """Indices of the first point in each cube of side `voxel`, in the order of the points."""
    cells = np.floor(points / voxel).astype(np.int64)
    cells = np.clip(cells, -_LIMIT, _LIMIT - 1) + _LIMIT
    keys = (cells[:, 0] << 42) | (cells[:, 1] << 21) | cells[:, 2]
    # As np.unique with return_index, whose stable sort takes four times as long.
    order = np.argsort(keys)
    in_order = keys[order]
    begins = np.flatnonzero(np.concatenate([[True], in_order[1:] != in_order[:-1]]))
    return np.sort(np.minimum.reduceat(order, begins)) if len(keys) else order
