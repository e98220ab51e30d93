# SPDX-License-Identifier: Apache-2.0
"""If these fail, the figure of a demo's cloud says nothing of how good the cloud is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dens3r_ros.evaluation.cloud import model_errors
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.ply import read_ply, write_ply
from dens3r_ros.sources.source import Truth

CAMERA = Intrinsics(160.0, 160.0, 79.5, 59.5, 160, 120)


class Wall:
    """Three views of a wall two metres away."""

    name = "wall"

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Frame:
        return Frame(np.zeros((120, 160, 3), np.uint8), index + 1, "", CAMERA)

    def truth(self, index: int) -> Truth:
        pose = np.eye(4)
        pose[:2, 3] = (0.3 * index, 0.1 * index**2)
        return Truth(np.full((120, 160), 2.0, np.float32), pose)


def leave(folder: Path, distance: float, unit: float) -> None:
    grid = np.stack(np.meshgrid(np.arange(-1.2, 1.8, 0.02), np.arange(-0.9, 1.2, 0.02)), -1)
    wall = np.concatenate([grid, np.full((*grid.shape[:2], 1), distance)], -1).reshape(-1, 3)
    write_ply(folder / "map.ply", wall / unit, np.zeros(wall.shape, np.uint8))
    for name, length in (("trajectory", 1 / unit), ("ground_truth", 1.0)):
        lines = [
            f"{i} {0.3 * i * length} {0.1 * i**2 * length} 0 0 0 0 1" for i in range(len(Wall()))
        ]
        (folder / f"{name}.tum").write_text("\n".join(lines))


def test_a_cloud_in_a_unit_of_its_own_is_measured_in_metres(tmp_path: Path) -> None:
    leave(tmp_path, distance=2.0, unit=0.4)
    assert model_errors(tmp_path, Wall()).cloud.chamfer_m < 0.06
    leave(tmp_path, distance=2.5, unit=0.4)
    assert model_errors(tmp_path, Wall()).cloud.accuracy_m == pytest.approx(0.5, abs=0.03)


def test_a_mesh_is_judged_by_how_much_of_it_is_near(tmp_path: Path) -> None:
    open3d = pytest.importorskip("open3d", reason="open3d is not installed")
    leave(tmp_path, distance=2.0, unit=0.4)
    assert model_errors(tmp_path, Wall()).mesh is None
    (tmp_path / "map.ply").rename(tmp_path / "cloud.ply")
    (tmp_path / "ground_truth.tum").unlink()
    lines = (tmp_path / "trajectory.tum").read_text().splitlines()
    stamped = [f"{(n + 1) * 1e-9:.9f} {line.split(' ', 1)[1]}" for n, line in enumerate(lines)]
    (tmp_path / "trajectory.tum").write_text("\n".join(["# stamps of the source", *stamped]))
    box = open3d.geometry.TriangleMesh.create_box(1.0, 1.0, 1e-6).subdivide_midpoint(6)
    corners = np.asarray(box.vertices) + np.array((-0.4, -0.4, 2.0))
    corners[corners[:, 0] > 0.1, 2] += 0.1
    box.vertices = open3d.utility.Vector3dVector(corners / 0.4)
    open3d.io.write_triangle_mesh(str(tmp_path / "mesh.ply"), box)
    found = model_errors(tmp_path, Wall())
    assert found.cloud.chamfer_m < 0.06
    assert found.mesh is not None and found.mesh.near == pytest.approx(0.5, abs=0.05)


def test_what_was_written_is_read_and_nothing_else(tmp_path: Path) -> None:
    points, colours = np.eye(3, dtype=np.float32), np.arange(9, dtype=np.uint8).reshape(3, 3)
    write_ply(tmp_path / "a.ply", points, colours)
    for found, wanted in zip(read_ply(tmp_path / "a.ply"), (points, colours), strict=True):
        np.testing.assert_array_equal(found, wanted)
    (tmp_path / "b.ply").write_text("ply\nformat ascii 1.0\n")
    with pytest.raises(ValueError, match=r"b\.ply"):
        read_ply(tmp_path / "b.ply")
