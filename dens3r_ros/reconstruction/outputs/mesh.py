# SPDX-License-Identifier: Apache-2.0
"""The scene's surface as a coloured mesh, by a truncated signed distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dens3r_ros.reconstruction.outputs.scene import Scene, SceneView

_VOXELS = 200
"""Of them one after the other reach as far as the typical depth."""
_TRUNCATION = 4.0
"""Voxels around a surface in which its distance is integrated."""
_BLOCKS = 50_000
"""Blocks of 8 voxels each way that memory is reserved for at first; it grows as needed."""


class NoSurface(ValueError):
    """Nothing of the scene is sure enough for a mesh."""


def usual_mesh_voxel(scene: Scene) -> float:
    """Side of the voxels, unless another one is asked for."""
    return scene.typical_depth() / _VOXELS


def write_mesh(
    paths: Sequence[Path],
    scene: Scene,
    voxel: float,
    faces: int,
    progress: Callable[[int, int], None],
) -> int:
    """Write the mesh into each file (.ply, .glb, .obj, .stl), thinned to about `faces` triangles
    unless that is 0; how many it has."""
    import open3d

    library: Any = open3d
    volume = _volume(open3d, voxel)
    for number, (keyframe, view) in enumerate(scene.views()):
        _integrate(open3d, volume, view, keyframe.T_world_camera, scene.least_confidence, voxel)
        progress(number + 1, len(scene.keyframes))
    mesh = volume.extract_triangle_mesh(weight_threshold=1.0).to_legacy()
    if not len(mesh.triangles):
        raise NoSurface("nothing of the scene is sure enough for a mesh")
    if faces and len(mesh.triangles) > faces:
        mesh = mesh.simplify_quadric_decimation(faces)
        mesh.remove_degenerate_triangles()
        mesh.remove_unreferenced_vertices()
    mesh.compute_vertex_normals()
    for path in paths:
        if not library.io.write_triangle_mesh(str(path), mesh):
            raise OSError(f"open3d could not write {path}")
    return len(mesh.triangles)


def _volume(open3d: Any, voxel: float) -> Any:
    core = open3d.core
    return open3d.t.geometry.VoxelBlockGrid(
        attr_names=("tsdf", "weight", "color"),
        attr_dtypes=(core.float32, core.float32, core.float32),
        attr_channels=(1, 1, 3),
        voxel_size=voxel,
        block_resolution=8,
        block_count=_BLOCKS,
    )


def _integrate(
    open3d: Any,
    volume: Any,
    view: SceneView,
    T_world_camera: np.ndarray,
    least: float,
    voxel: float,
) -> None:
    core, Image = open3d.core, open3d.t.geometry.Image
    depth = np.where(view.good(least, view.normals()), view.depth, 0)
    if not depth.any():
        return
    image = Image(np.ascontiguousarray(depth, np.float32))
    colours = Image(view.colours.astype(np.float32) / 255)
    lens, placed = core.Tensor(view.camera.K), core.Tensor(np.linalg.inv(T_world_camera))
    limits = (1.0, float(depth.max()) + voxel, _TRUNCATION)
    blocks = volume.compute_unique_block_coordinates(image, lens, placed, *limits)
    volume.integrate(blocks, image, colours, lens, lens, placed, *limits)
