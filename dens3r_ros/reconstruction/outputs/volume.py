# SPDX-License-Identifier: Apache-2.0
"""The distance to a scene's surface, averaged over views by how well each knows it."""

from __future__ import annotations

from typing import Any

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics

_TRUNCATION = 4.0
"""Voxels around a surface in which its distance is averaged."""
_BLOCKS = 50_000
"""Blocks of 8 voxels each way that memory is reserved for at first; it grows as needed."""
_ERROR = 0.07
"""Relative error of depth of confidence 2, as engines have it; it falls as the root of what
confidence is above 1."""
_SHARPEST = 0.005
"""Relative error of depth that is taken at least."""
_AT_SURFACE = 0.25
"""Share of that up to which a voxel is said to lie at the surface."""
_LEFT_OUT = 0.3
"""Share of the surface that is left out, the least sure."""


class Volume:
    """Voxels of open3d, filled view by view. A view's weight is 1 where its expected error is one
    voxel, and grows as the inverse square of that."""

    def __init__(self, voxel: float) -> None:
        import open3d

        self._open3d: Any = open3d
        self._voxel = voxel
        float32 = open3d.core.float32
        self._grid = self._open3d.t.geometry.VoxelBlockGrid(
            attr_names=("tsdf", "weight", "color"),
            attr_dtypes=(float32, float32, float32),
            attr_channels=(1, 1, 3),
            voxel_size=voxel,
            block_resolution=8,
            block_count=_BLOCKS,
        )

    def add(
        self,
        depth: np.ndarray,
        confidence: np.ndarray,
        colours: np.ndarray,
        camera: Intrinsics,
        T_world_camera: np.ndarray,
    ) -> None:
        """One view: depth (h, w) float32, 0 where unknown; confidence (h, w); colours (h, w, 3)."""
        if not (depth > 0).any():
            return
        T = np.linalg.inv(T_world_camera)
        places, at = self._near(depth, camera, T)
        moved = places @ T[:3, :3].T.astype(np.float32) + T[:3, 3].astype(np.float32)
        z = moved[:, 2]
        near = np.divide(1, z, out=np.zeros_like(z), where=z > 1e-6)
        x = np.rint(moved[:, 0] * near * camera.fx + camera.cx)
        y = np.rint(moved[:, 1] * near * camera.fy + camera.cy)
        seen = (near > 0) & (x >= 0) & (y >= 0) & (x < camera.width) & (y < camera.height)
        x, y, z, at = x[seen].astype(int), y[seen].astype(int), z[seen], at[seen]
        surface, wide = depth[y, x], _TRUNCATION * self._voxel
        kept = (surface > 0) & (surface - z > -wide)
        x, y, at, surface = x[kept], y[kept], at[kept], surface[kept]
        distance = ((surface - z[kept]) / wide).clip(-1, 1)
        self._average(at, distance, self._weights(surface, confidence[y, x]), colours[y, x])

    def _near(
        self, depth: np.ndarray, camera: Intrinsics, T: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Voxels near the view's surface, made if they are new: centres (N, 3) in the world and
        numbers (N,)."""
        core = self._open3d.core
        image = self._open3d.t.geometry.Image(np.ascontiguousarray(depth, np.float32))
        limits = (1.0, float(depth.max()) + self._voxel, _TRUNCATION)
        lens, placed = core.Tensor(camera.K), core.Tensor(T)
        blocks = self._grid.compute_unique_block_coordinates(image, lens, placed, *limits)
        table = self._grid.hashmap()
        table.activate(blocks)
        found, _ = table.find(blocks)
        places, at = self._grid.voxel_coordinates_and_flattened_indices(found)
        return places.numpy(), at.numpy()

    def _weights(self, depth: np.ndarray, confidence: np.ndarray) -> np.ndarray:
        relative = _ERROR / np.sqrt(np.maximum(confidence - 1, 1e-6))
        return (self._voxel / (depth * np.maximum(relative, _SHARPEST))) ** 2

    def _average(
        self, at: np.ndarray, distance: np.ndarray, weight: np.ndarray, colours: np.ndarray
    ) -> None:
        whole, mean, shade = (
            self._grid.attribute(name).numpy().reshape(-1, channels)
            for name, channels in (("weight", 1), ("tsdf", 1), ("color", 3))
        )
        before, weight = whole[at], weight[:, None].astype(np.float32)
        share = weight / (before + weight)
        mean[at] += share * (distance[:, None] - mean[at])
        shade[at] += share * (colours.astype(np.float32) - shade[at])
        whole[at] = before + weight

    def mesh(self) -> Any:
        """The surface but for what is least sure, as open3d's older meshes."""
        weight, distance = (self._grid.attribute(name).numpy() for name in ("weight", "tsdf"))
        surface = weight[(weight > 0) & (np.abs(distance) < _AT_SURFACE)]
        sure = float(np.quantile(surface, _LEFT_OUT)) if len(surface) else 0.0
        return self._grid.extract_triangle_mesh(weight_threshold=sure).to_legacy()
