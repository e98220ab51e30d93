# SPDX-License-Identifier: Apache-2.0
"""If these fail, the figure of a demo's cloud says nothing of how good the cloud is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dens3r_ros.evaluation.cloud import cloud_errors
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.ply import read_ply, write_ply
from dens3r_ros.sources.source import Truth

CAMERA = Intrinsics(40.0, 40.0, 19.5, 14.5, 40, 30)


class Wall:
    """Three views of a wall two metres away."""

    name = "wall"

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Frame:
        return Frame(np.zeros((30, 40, 3), np.uint8), index + 1, "", CAMERA)

    def truth(self, index: int) -> Truth:
        pose = np.eye(4)
        pose[:2, 3] = (0.3 * index, 0.1 * index**2)
        return Truth(np.full((30, 40), 2.0, np.float32), pose)


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
    assert cloud_errors(tmp_path, Wall()).chamfer_m < 0.06
    leave(tmp_path, distance=2.5, unit=0.4)
    assert cloud_errors(tmp_path, Wall()).accuracy_m == pytest.approx(0.5, abs=0.03)


def test_what_was_written_is_read_and_nothing_else(tmp_path: Path) -> None:
    points, colours = np.eye(3, dtype=np.float32), np.arange(9, dtype=np.uint8).reshape(3, 3)
    write_ply(tmp_path / "a.ply", points, colours)
    for found, wanted in zip(read_ply(tmp_path / "a.ply"), (points, colours), strict=True):
        np.testing.assert_array_equal(found, wanted)
    (tmp_path / "b.ply").write_text("ply\nformat ascii 1.0\n")
    with pytest.raises(ValueError, match=r"b\.ply"):
        read_ply(tmp_path / "b.ply")
