# SPDX-License-Identifier: Apache-2.0
"""A lens that a person gives, put in front of an input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.sources.inputs.input import Input, Unreadable, Wanted
from dens3r_ros.sources.messages.camera_info import (
    LensCalibration,
    RejectedInfo,
    calibration_from_info,
)
from dens3r_ros.sources.source import SourceError

_EXPECTED = "--intrinsics takes FX,FY,CX,CY or a YAML file"


def with_lens(given: Input, lens: str) -> Input:
    """The input with another lens than its own; SourceError where that says none."""
    numbers = _numbers(lens)
    return _Lensed(given, _Plain(numbers) if numbers else _Calibrated(Path(lens).expanduser()))


class _Lensed:
    """An input whose images are seen through a given lens."""

    rough_lens = False

    def __init__(self, given: Input, lens: _Plain | _Calibrated) -> None:
        self.name, self.total, self.notes = given.name, given.total, given.notes
        self._given, self._lens = given, lens

    def frames(self, wanted: Wanted) -> Iterator[tuple[int, Frame | Unreadable]]:
        for index, frame in self._given.frames(wanted):
            yield index, frame if isinstance(frame, Unreadable) else self._lens.apply(frame)


class _Plain:
    """fx, fy, cx, cy of images of whatever size comes."""

    def __init__(self, numbers: list[float]) -> None:
        self._numbers = numbers

    def apply(self, frame: Frame) -> Frame:
        height, width = frame.size
        fx, fy, cx, cy = self._numbers
        return replace(frame, intrinsics=Intrinsics(fx, fy, cx, cy, width, height))


class _Calibrated:
    """A calibration file, for images of its size or of the same shape; distortion is undone."""

    def __init__(self, path: Path) -> None:
        self._path, self._message = path, _message(path)
        self._lens: LensCalibration | None = None
        self._undistort: Any = None

    def apply(self, frame: Frame) -> Frame:
        height, width = frame.size
        lens = self._lens
        if lens is None or (lens.intrinsics.height, lens.intrinsics.width) != frame.size:
            try:
                lens = self._lens = calibration_from_info(self._message, width, height)
            except RejectedInfo as error:
                raise SourceError(f"{self._path}: {error}") from error
            if lens is None:
                raise SourceError(f"{self._path}: the camera matrix is all zero")
            self._undistort = lens.undistorter()
        return replace(frame, image=self._undistort(frame.image), intrinsics=lens.intrinsics)


def _numbers(text: str) -> list[float] | None:
    parts = text.split(",")
    if len(parts) != 4:
        return None
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return None
    if min(numbers[:2]) <= 0:
        raise SourceError(f"{_EXPECTED}; focal lengths are greater than zero, not {text}")
    return numbers


def _message(path: Path) -> Any:
    """What the file says, with the names of CameraInfo."""
    if not path.is_file():
        raise SourceError(f"{_EXPECTED}; {path} is neither")
    try:
        values = yaml.safe_load(path.read_text())
        if "camera_matrix" in values:
            return _of_ros(values)
        fx, fy, cx, cy = (float(values[key]) for key in ("fx", "fy", "cx", "cy"))
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError, ValueError) as error:
        raise SourceError(
            f"{path} is no calibration: it needs width, height, fx, fy, cx, cy, or camera_matrix "
            f"and distortion_coefficients as ROS writes them ({error})"
        ) from error
    return _info([fx, 0, cx, 0, fy, cy, 0, 0, 1], values.get("d", []), "", values)


def _of_ros(values: dict[str, Any]) -> Any:
    distortion = values.get("distortion_coefficients", {}).get("data", [])
    model = str(values.get("distortion_model", "plumb_bob"))
    size = {"width": values["image_width"], "height": values["image_height"]}
    return _info(values["camera_matrix"]["data"], distortion, model, size)


def _info(k: list[float], d: list[float], model: str, size: dict[str, Any]) -> Any:
    region = SimpleNamespace(width=0, height=0, x_offset=0, y_offset=0)
    return SimpleNamespace(
        k=[float(one) for one in k],
        d=[float(one) for one in d],
        width=int(size["width"]),
        height=int(size["height"]),
        distortion_model=model,
        roi=region,
    )
