# SPDX-License-Identifier: Apache-2.0
"""The scene's surface as a coloured mesh, by a truncated signed distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dens3r_ros.reconstruction.outputs.scene import Scene
from dens3r_ros.reconstruction.outputs.volume import Volume

_VOXELS = 200
"""Of them one after the other reach as far as the typical depth."""


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
    volume = Volume(voxel)
    for number, (keyframe, view) in enumerate(scene.views()):
        depth = np.where(view.good(scene.least_confidence, view.normals()), view.depth, 0)
        placed = view.camera, keyframe.T_world_camera
        volume.add(depth.astype(np.float32), view.confidence, view.colours, *placed)
        progress(number + 1, len(scene.keyframes))
    mesh = volume.mesh()
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
