# SPDX-License-Identifier: Apache-2.0
"""The cloud and the mesh that a demo or a reconstruction left behind, against the true surface of
what it was shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from dens3r_ros.evaluation.metrics.similarity import similarity_of_poses
from dens3r_ros.evaluation.metrics.surface import (
    SurfaceErrors,
    compare_surfaces,
    thinned,
    truth_points,
)
from dens3r_ros.geometry.ply import read_ply
from dens3r_ros.sources.source import Source, SourceError

_NEAR_M = 0.03
_SAME_NS = 2_000_000
"""Stamps that differ by less are those of one image; videos keep them to a millisecond."""
_CLOUDS = ("map.ply", "cloud.ply")


@dataclass(frozen=True)
class MeshErrors:
    """Of a mesh's corners: share within 3 cm of the true surface, and their distances' median."""

    near: float
    median_m: float


@dataclass(frozen=True)
class ModelErrors:
    """`mesh` is None where there is none."""

    cloud: SurfaceErrors
    mesh: MeshErrors | None


def model_errors(folder: Path, source: Source) -> ModelErrors:
    """Of map.ply or cloud.ply, and of mesh.ply, brought to metres by the similarity between
    trajectory.tum and the true poses: those of ground_truth.tum beside it, or else the source's."""
    S, surface = _to_metres(folder, source), _true_surface(source)
    names = [name for name in _CLOUDS if (folder / name).is_file()]
    if not names:
        raise FileNotFoundError(f"{folder} has neither {' nor '.join(_CLOUDS)}.")
    demo = names[0] == _CLOUDS[0]
    points = read_ply(folder / names[0])[0] if demo else _corners(folder / names[0])
    cloud = compare_surfaces(_moved(points, S), surface)
    mesh = folder / "mesh.ply"
    return ModelErrors(cloud, _mesh_errors(mesh, S, surface) if mesh.is_file() else None)


def _mesh_errors(path: Path, S: np.ndarray, surface: np.ndarray) -> MeshErrors:
    distances, _ = cKDTree(surface).query(thinned(_moved(_corners(path), S)))
    return MeshErrors(float((distances <= _NEAR_M).mean()), float(np.median(distances)))


def _corners(path: Path) -> np.ndarray:
    """(N, 3) of any PLY file."""
    try:
        import open3d
    except ImportError as error:
        raise ValueError(
            f"{path} is read by open3d, which is not installed: pip install 'dens3r_ros[mesh]'"
        ) from error
    points = np.asarray(open3d.io.read_point_cloud(str(path)).points)
    if not len(points):
        raise ValueError(f"{path} is no PLY file with points")
    return points


def _moved(points: np.ndarray, S: np.ndarray) -> np.ndarray:
    return points.astype(np.float64) @ S[:3, :3].T + S[:3, 3]


def _to_metres(folder: Path, source: Source) -> np.ndarray:
    """S_truth_model, (4, 4)."""
    beside = folder / "ground_truth.tum"
    found = _poses(folder / "trajectory.tum")
    wanted = _poses(beside) if beside.is_file() else _true_poses(source, found)
    both = sorted(found.keys() & wanted.keys())
    if not both:
        where = beside.name if beside.is_file() else source.name
        raise SourceError(f"{folder}: no pose of trajectory.tum has a stamp of {where}.")
    # By directions too: positions on a line, as of a walk along a corridor, would leave the scene
    # free to turn about it.
    S = similarity_of_poses(*(np.array([poses[one] for one in both]) for poses in (found, wanted)))
    if S is None:
        raise SourceError(f"{folder}: {len(both)} poses of one place tell nothing of the scene.")
    return S


def _true_poses(source: Source, found: Iterable[str]) -> dict[str, np.ndarray]:
    """By the stamps of the trajectory."""
    stamps = np.array([source[n].stamp for n in range(len(source))])
    order = np.argsort(stamps)
    wanted = {}
    for text in found:
        stamp = round(float(text) * 1e9)
        nearest = order[np.abs(stamps[order] - stamp).argmin()]
        truth = source.truth(int(nearest))
        if truth is not None and abs(stamps[nearest] - stamp) <= _SAME_NS:
            wanted[text] = truth.T_world_camera
    return wanted


def _poses(path: Path) -> dict[str, np.ndarray]:
    """(4, 4) by stamp as it stands there."""
    poses = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            stamp, *numbers = line.split()
            T = np.eye(4)
            T[:3, 3] = np.array(numbers[:3], float)
            T[:3, :3] = Rotation.from_quat(np.array(numbers[3:7], float)).as_matrix()
            poses[stamp] = T
    return poses


def _true_surface(source: Source) -> np.ndarray:
    parts = []
    for index in range(len(source)):
        truth, camera = source.truth(index), source[index].intrinsics
        if truth is not None and camera is not None:
            parts.append(truth_points(truth, camera, step=1))
    surface = np.concatenate(parts) if parts else np.zeros((0, 3))
    if not len(surface):
        raise SourceError(f"{source.name} has no true depth to compare with.")
    return thinned(surface)
