# SPDX-License-Identifier: Apache-2.0
"""What nav2_costmap_2d's voxel layer does with a cloud, written down from its documentation.

An observation is cut to the heights of its source, in the costmap's frame. First every ray from the
sensor's origin to a point, no longer than raytrace_max_range, clears the voxels that it runs
through; then every point nearer than obstacle_max_range marks its own. A cell is lethal where as
many voxels as mark_threshold are marked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

LETHAL, FREE = 254, 0


@dataclass
class VoxelLayer:
    """Of the parameters in config/nav2.yaml; `size` metres wide, its middle at (0, 0)."""

    layer: dict[str, Any]
    size: float = 10.0
    resolution: float = 0.05
    marked: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        cells = round(self.size / self.resolution)
        self.marked = np.zeros((cells, cells, self.layer["z_voxels"]), bool)
        self._sources = [self.layer[name] for name in self.layer["observation_sources"].split()]

    def observe(self, points: np.ndarray, origin: np.ndarray) -> None:
        """A cloud (N, 3) and the place of its sensor (3,), both in the costmap's frame."""
        for source in self._sources:
            if source["clearing"]:
                seen, distance = _kept(source, points, origin)
                for point, away in zip(seen, distance, strict=True):
                    if away >= source["raytrace_min_range"]:
                        self._clear(origin, point, min(away, source["raytrace_max_range"]) / away)
        for source in self._sources:
            if source["marking"]:
                seen, distance = _kept(source, points, origin)
                near = distance >= source["obstacle_min_range"]
                near &= distance <= source["obstacle_max_range"]
                self.mark(seen[near & (seen[:, 2] <= self.layer["max_obstacle_height"])])

    def mark(self, points: np.ndarray) -> None:
        """Mark the voxels of points (N, 3)."""
        x, y, z = self._voxels(points).T
        self.marked[x, y, z] = True

    def costs(self) -> np.ndarray:
        """(X, Y) uint8."""
        many = self.marked.sum(2) >= max(self.layer["mark_threshold"], 1)
        return np.where(many, LETHAL, FREE).astype(np.uint8)

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Where a place lies."""
        return tuple(int((c + self.size / 2) / self.resolution) for c in (x, y))  # type: ignore

    def _clear(self, origin: np.ndarray, point: np.ndarray, share: float) -> None:
        steps = int(np.linalg.norm(point - origin) * share / (0.5 * self.resolution))
        along = np.linspace(0.0, share, max(steps, 2))[:-1, None]
        x, y, z = self._voxels(origin + along * (point - origin)).T
        self.marked[x, y, z] = False

    def _voxels(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) of those points that are within."""
        x, y = ((points[:, i] + self.size / 2) / self.resolution for i in (0, 1))
        z = (points[:, 2] - self.layer["origin_z"]) / self.layer["z_resolution"]
        voxels = np.floor(np.stack((x, y, z), -1)).astype(int)
        return voxels[((voxels >= 0) & (voxels < self.marked.shape)).all(1)]


def _kept(
    source: dict[str, Any], points: np.ndarray, origin: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The points that a source keeps, and how far away they are."""
    assert source["data_type"] == "PointCloud2"
    z = points[:, 2]
    inside = (z >= source["min_obstacle_height"]) & (z <= source["max_obstacle_height"])
    seen = points[inside & np.isfinite(points).all(1)]
    return seen, np.linalg.norm(seen - origin, axis=1)
