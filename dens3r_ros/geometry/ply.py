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


def write_ply(path: Path, points: np.ndarray, colours: np.ndarray) -> None:
    """Write (N, 3) points with (N, 3) uint8 RGB colours."""
    row = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])
    rows = np.empty(len(points), row)
    rows["xyz"], rows["rgb"] = points, colours
    path.write_bytes(_HEADER.format(count=len(points)).encode() + rows.tobytes())
