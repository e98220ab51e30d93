# SPDX-License-Identifier: Apache-2.0
"""Splats in 32 bytes each, as web viewers load them: no harmonics but the constant one."""

from __future__ import annotations

import numpy as np

from dens3r_ros.splats.formats.ply_file import SplatsFileError
from dens3r_ros.splats.harmonics import CONSTANT
from dens3r_ros.splats.splats import Splats

_ROW = np.dtype([("mean", "<f4", 3), ("scale", "<f4", 3), ("rgba", "u1", 4), ("wxyz", "u1", 4)])


def splat_bytes(splats: Splats) -> bytes:
    """The whole file; what counts most comes first, since viewers show it while they load."""
    weight = splats.opacities * np.exp(splats.log_scales.astype(np.float64).sum(1))
    order = np.argsort(-weight, kind="stable")
    rows = np.empty(len(splats), _ROW)
    rows["mean"] = splats.means[order]
    rows["scale"] = np.exp(splats.log_scales[order])
    colours = 0.5 + CONSTANT * splats.harmonics[order, 0]
    rows["rgba"] = _byte(np.concatenate([colours, splats.opacities[order, None]], 1) * 255)
    rows["wxyz"] = _byte(splats.rotations[order][:, (3, 0, 1, 2)] * 128 + 128)
    return rows.tobytes()


def splats_of_splat(content: bytes, name: str) -> Splats:
    """What a file of that name holds, to the precision that it has."""
    if len(content) % _ROW.itemsize:
        raise SplatsFileError(f"{name} has {len(content)} bytes; 32 belong to each splat")
    rows = np.frombuffer(content, _ROW)
    colours = rows["rgba"].astype(np.float32) / 255
    rotations = (rows["wxyz"].astype(np.float32) - 128)[:, (1, 2, 3, 0)]
    length = np.linalg.norm(rotations, axis=1, keepdims=True).clip(1e-6)
    return Splats(
        rows["mean"].copy(),
        np.log(rows["scale"].clip(1e-30)),
        rotations / length,
        colours[:, 3].copy(),
        ((colours[:, None, :3] - 0.5) / CONSTANT).astype(np.float32),
    )


def _byte(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255).astype(np.uint8)
