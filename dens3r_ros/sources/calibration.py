# SPDX-License-Identifier: Apache-2.0
"""`camera.yaml`: the intrinsics of a folder's images, and the unit of its depth maps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.sources.source import SourceError

FILE_NAME = "camera.yaml"
TUM_DEPTH_SCALE = 5000.0
_KEYS = ("width", "height", "fx", "fy", "cx", "cy")


@dataclass(frozen=True)
class Calibration:
    """Intrinsics of undistorted images, where known, and depth map values per metre."""

    intrinsics: Intrinsics | None = None
    depth_scale: float = TUM_DEPTH_SCALE


def read_calibration(path: Path, size: tuple[int, int]) -> Calibration:
    """What a calibration file, if it exists, says of images of (height, width) `size`."""
    if not path.exists():
        return Calibration()
    values = _mapping(path)
    depth_scale = _number(path, {"depth_scale": TUM_DEPTH_SCALE} | values, "depth_scale")
    if depth_scale <= 0:
        raise SourceError(f"{path}: depth_scale must be greater than zero.")
    intrinsics = _intrinsics(path, values)
    if (intrinsics.height, intrinsics.width) != size:
        raise SourceError(
            f"{path} is for images of {intrinsics.width}x{intrinsics.height}, "
            f"but those beside it are {size[1]}x{size[0]}."
        )
    return Calibration(intrinsics, depth_scale)


def _mapping(path: Path) -> dict:
    try:
        values = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise SourceError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise SourceError(
            f"{path} must hold the keys {', '.join(_KEYS)}, and optional depth_scale."
        )
    return values


def _intrinsics(path: Path, values: dict) -> Intrinsics:
    missing = [key for key in _KEYS if key not in values]
    if missing:
        found = ", ".join(map(str, values)) or "nothing"
        raise SourceError(f"{path} lacks {', '.join(missing)}; it has {found}.")
    width, height, fx, fy, cx, cy = (_number(path, values, key) for key in _KEYS)
    if min(width, height, fx, fy) <= 0:
        raise SourceError(f"{path}: width, height, fx and fy must be greater than zero.")
    return Intrinsics(fx, fy, cx, cy, int(width), int(height))


def _number(path: Path, values: dict, key: str) -> float:
    try:
        return float(values[key])
    except (TypeError, ValueError):
        raise SourceError(f"{path}: {key} must be a number, not {values[key]!r}.") from None
