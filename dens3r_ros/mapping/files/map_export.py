# SPDX-License-Identifier: Apache-2.0
"""A saved map as a coloured cloud or as a mesh, for other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from dens3r_ros.geometry.normals import normals_from_points
from dens3r_ros.mapping.archive.stored import StoredView
from dens3r_ros.mapping.files.map_file import LoadedMap
from dens3r_ros.mapping.graph.graph import rigid, scale_of

Progress = Callable[[int, int], None]

_GRAZING = 0.15
"""Cosine between a surface and the ray to it below which depth is a smear between two things."""

_TRUNCATION = 4.0
"""Voxels around a surface in which its distance is integrated."""
_SEEN = 1.0
"""Keyframes that must have seen a voxel."""
_BLOCKS = 50_000
"""Blocks of 8 voxels each way that memory is reserved for at first; it grows as needed."""


class MeshUnavailable(ImportError):
    """open3d is missing; the message says how to get it."""


def cloud(
    loaded: LoadedMap, min_confidence: float, voxel: float, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) float32 points in the map's frame and (N, 3) uint8 colours, one per voxel; all
    points where `voxel` is 0."""
    points, colours = [np.zeros((0, 3), np.float32)], [np.zeros((0, 3), np.uint8)]
    for n, keyframe in enumerate(loaded.keyframes):
        seen = StoredView(keyframe.stored)
        good = _good(seen, min_confidence)
        S = loaded.poses[keyframe.stored.id]
        placed = (seen.points[good] @ S[:3, :3].T + S[:3, 3]).astype(np.float32)
        kept = _one_per_voxel(placed, voxel)
        points.append(placed[kept])
        colours.append(seen.colours[good][kept])
        progress(n + 1, len(loaded.keyframes))
    whole, shades = np.concatenate(points), np.concatenate(colours)
    kept = _one_per_voxel(whole, voxel)
    return whole[kept], shades[kept]


def usual_voxel(loaded: LoadedMap) -> float:
    """A two-hundredth of the typical distance at which the map's surfaces were seen."""
    distances = [
        scale_of(loaded.poses[keyframe.stored.id]) * float(np.median(depth[depth > 0]))
        for keyframe in loaded.keyframes
        if ((depth := keyframe.stored.depth.astype(np.float32)) > 0).any()
    ]
    return float(np.median(distances)) / 200 if distances else 0.01


def write_mesh(
    path: Path, loaded: LoadedMap, min_confidence: float, voxel: float, progress: Progress
) -> int:
    """Integrate the keyframes' depth and write a mesh; its triangles."""
    try:
        import open3d
    except ImportError as error:
        raise MeshUnavailable(
            "meshes need open3d, which is not installed: pip install 'dens3r_ros[mesh]'"
        ) from error
    core, Image = open3d.core, open3d.t.geometry.Image
    volume = open3d.t.geometry.VoxelBlockGrid(
        attr_names=("tsdf", "weight", "color"),
        attr_dtypes=(core.float32, core.float32, core.float32),
        attr_channels=(1, 1, 3),
        voxel_size=voxel,
        block_resolution=8,
        block_count=_BLOCKS,
    )
    for n, keyframe in enumerate(loaded.keyframes):
        seen = StoredView(keyframe.stored)
        S = loaded.poses[keyframe.stored.id]
        depth = np.where(_good(seen, min_confidence), seen.points[..., 2] * scale_of(S), 0)
        image = Image(np.ascontiguousarray(depth, np.float32))
        colours = Image(seen.colours.astype(np.float32) / 255)
        lens, placed = core.Tensor(seen.camera.K), core.Tensor(np.linalg.inv(rigid(S)))
        if depth.any():
            limits = (1.0, float(depth.max()) + voxel, _TRUNCATION)
            blocks = volume.compute_unique_block_coordinates(image, lens, placed, *limits)
            volume.integrate(blocks, image, colours, lens, lens, placed, *limits)
        progress(n + 1, len(loaded.keyframes))
    mesh = volume.extract_triangle_mesh(weight_threshold=_SEEN).to_legacy()
    if not len(mesh.triangles):
        raise OSError("the map has no surface of that confidence: try a lower --min-confidence")
    if not open3d.io.write_triangle_mesh(str(path), mesh):
        raise OSError(f"open3d could not write {path}; name it .ply, .obj, .stl or .glb")
    return len(mesh.triangles)


def _good(seen: StoredView, min_confidence: float) -> np.ndarray:
    """(h, w) pixels that are known, sure, and not seen edge-on."""
    normals = normals_from_points(torch.from_numpy(seen.points))[0].numpy()
    distance = np.linalg.norm(seen.points, axis=-1).clip(1e-9)
    facing = np.abs((normals * seen.points).sum(-1)) / distance
    return (seen.confidence >= min_confidence) & (seen.points[..., 2] > 0) & (facing > _GRAZING)


def _one_per_voxel(points: np.ndarray, voxel: float) -> np.ndarray:
    """Indices of the first point in each cube of side `voxel`."""
    if voxel <= 0 or not len(points):
        return np.arange(len(points))
    cells = np.floor(points / voxel).astype(np.int64)
    return np.sort(np.unique(cells, axis=0, return_index=True)[1])
