# SPDX-License-Identifier: Apache-2.0
"""Poses as TUM files, cameras as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.camera import Intrinsics


def write_tum(path: Path, poses: Iterable[tuple[int, np.ndarray]]) -> int:
    """Write poses (stamp in nanoseconds, T_world_camera) in the layout of the TUM RGB-D benchmark;
    how many. Stamps are written in seconds, exactly."""
    lines = ["# timestamp tx ty tz qx qy qz qw\n"]
    for stamp, T in poses:
        quaternion = Rotation.from_matrix(T[:3, :3]).as_quat()
        numbers = " ".join(f"{n:.9g}" for n in (*T[:3, 3], *quaternion))
        lines.append(f"{stamp // 10**9}.{stamp % 10**9:09d} {numbers}\n")
    path.write_text("".join(lines))
    return len(lines) - 1


def write_intrinsics(
    path: Path, intrinsics: dict[str, Intrinsics], estimated: Iterable[str], unit: str
) -> None:
    """Write each camera's pinhole lens, of the whole undistorted image, in pixels."""
    unknown = set(estimated)
    cameras = {
        name: asdict(lens) | {"model": "pinhole", "estimated": name in unknown}
        for name, lens in intrinsics.items()
    }
    told = {"cameras": cameras, "pixel_centres": "whole numbers", "lengths": unit}
    path.write_text(json.dumps(told, indent=2) + "\n")
