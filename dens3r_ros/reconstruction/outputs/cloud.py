# SPDX-License-Identifier: Apache-2.0
"""The scene's surface as a PLY file, keyframe by keyframe, so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import numpy as np

from dens3r_ros.reconstruction.outputs.scene import Scene, in_world

ROW = np.dtype([("xyz", "<f4", 3), ("normal", "<f4", 3), ("rgb", "u1", 3), ("confidence", "<f4")])
_HEADER = """ply
format binary_little_endian 1.0
comment lengths are in {unit}
element vertex {count}
property float x
property float y
property float z
property float nx
property float ny
property float nz
property uchar red
property uchar green
property uchar blue
property float confidence
comment {padding}
end_header
"""
_VOXELS = 300
"""Of them one after the other reach as far as the typical depth, where no side is asked for."""
_CELL_BITS = 21


class PlyWriter:
    """Writes rows as they come; how many there are is put into the header at the end."""

    def __init__(self, path: Path, unit: str) -> None:
        self._file, self._unit = path.open("wb"), unit
        self.count = 0
        self._file.write(self._header())

    def add(self, rows: np.ndarray) -> None:
        """Append rows of `ROW`."""
        self._file.write(rows.tobytes())
        self.count += len(rows)

    def _header(self) -> bytes:
        padding = "-" * (20 - len(str(self.count)))
        return _HEADER.format(unit=self._unit, count=self.count, padding=padding).encode()

    def __enter__(self) -> PlyWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.seek(0)
        self._file.write(self._header())
        self._file.close()


class Thinning:
    """Keeps the first point of each cube of a given side."""

    def __init__(self, side: float) -> None:
        self._side = side
        self._taken = np.zeros(0, np.int64)

    def fresh(self, points: np.ndarray) -> np.ndarray:
        """Indices of the points (N, 3) that lie in cubes where none was before."""
        if self._side <= 0:
            return np.arange(len(points))
        half = 1 << (_CELL_BITS - 1)
        cells = (np.floor(points / self._side).astype(np.int64) + half).clip(0, 2 * half - 1)
        keys = (cells[:, 0] << 2 * _CELL_BITS) | (cells[:, 1] << _CELL_BITS) | cells[:, 2]
        unique, first = np.unique(keys, return_index=True)
        new = ~np.isin(unique, self._taken, assume_unique=True)
        self._taken = np.union1d(self._taken, unique[new])
        return np.sort(first[new])


def usual_voxel(scene: Scene) -> float:
    """Side of the cubes that one point stands for, unless another one is asked for."""
    return scene.typical_depth() / _VOXELS


def write_cloud(
    path: Path, scene: Scene, voxel: float, progress: Callable[[int, int], None]
) -> int:
    """Write all sure points with normals, colours and confidence, one per voxel; how many."""
    thinning = Thinning(voxel or usual_voxel(scene))
    with PlyWriter(path, scene.unit) as writer:
        for number, (keyframe, view) in enumerate(scene.views()):
            normals = view.normals()
            good = view.good(scene.least_confidence, normals)
            rows = np.empty(int(good.sum()), ROW)
            rows["xyz"] = in_world(view.points[good].astype(np.float64), keyframe.T_world_camera)
            rows["normal"] = normals[good] @ keyframe.T_world_camera[:3, :3].T
            rows["rgb"], rows["confidence"] = view.colours[good], view.confidence[good]
            writer.add(rows[thinning.fresh(rows["xyz"].astype(np.float64))])
            progress(number + 1, len(scene.keyframes))
        return writer.count


def read_cloud(path: Path) -> np.ndarray:
    """The rows of a file that `write_cloud` wrote."""
    head, end, body = path.read_bytes().partition(b"end_header\n")
    words = head.split(b"element vertex ")
    if not end or len(words) != 2 or b"property float confidence" not in head:
        raise ValueError(f"{path} is not a cloud as dens3r reconstruct writes it")
    return np.frombuffer(body, ROW, int(words[1].split()[0]))
