# SPDX-License-Identifier: Apache-2.0
"""Point clouds as PLY files, which every viewer opens."""

from __future__ import annotations

from pathlib import Path

import numpy as np

_HEADER = """ply
format binary_little_endian 1.0
element vertex {count}
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
end_header
"""
_ROW = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])


def write_ply(path: Path, points: np.ndarray, colours: np.ndarray) -> None:
    """Write (N, 3) points with (N, 3) uint8 RGB colours."""
    rows = np.empty(len(points), _ROW)
    rows["xyz"], rows["rgb"] = points, colours
    path.write_bytes(_HEADER.format(count=len(points)).encode() + rows.tobytes())


def read_ply(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) float32 points and (N, 3) uint8 RGB of a file that `write_ply` wrote."""
    head, end, body = path.read_bytes().partition(b"end_header\n")
    count = int(head.split(b"element vertex ")[-1].split()[0]) if b"element vertex " in head else 0
    if _HEADER.format(count=count).encode() != head + end:
        raise ValueError(f"{path} is not a cloud as this package writes it")
    rows = np.frombuffer(body, _ROW, count)
    return rows["xyz"], rows["rgb"]
