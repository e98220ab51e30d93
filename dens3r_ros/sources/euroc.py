# SPDX-License-Identifier: Apache-2.0
"""Sequences in the layout of EuRoC MAV, which TUM-VI shares: camera, inertial sensor, poses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from scipy.spatial.transform import Rotation, Slerp

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.imu import ImuNoise, ImuReadings, ImuRecording
from dens3r_ros.sources.images import read_image
from dens3r_ros.sources.source import SourceError, Truth

_TRUTH = ("state_groundtruth_estimate0", "mocap0", "leica0", "vicon0")
_DENSE_NS = 50_000_000
"""Nanoseconds between poses up to which one is interpolated."""
_NOISE = {
    "turn_density": "gyroscope_noise_density",
    "turn_walk": "gyroscope_random_walk",
    "force_density": "accelerometer_noise_density",
    "force_walk": "accelerometer_random_walk",
}


class EurocSequence:
    """A folder with `mav0/cam0`, or a `mav0` itself; frames are undistorted, with intrinsics.

    `imu` is what `imu0` recorded, None without it. Poses are `state_groundtruth_estimate0`'s, or
    `mocap0`'s, interpolated between the two around an image; depth is not known.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.resolve().name
        mav = folder / "mav0" if (folder / "mav0").is_dir() else folder
        self._folder = mav / "cam0"
        self._sensor = _read_yaml(self._folder / "sensor.yaml")
        rows = _rows(self._folder / "data.csv", 2)
        told = [(_whole(self._folder / "data.csv", row[0]), row[1].strip()) for row in rows]
        self._stamps = [stamp for stamp, _ in sorted(told)]
        self._files = [file for _, file in sorted(told)]
        self._lens = _lens(self._folder / "sensor.yaml", self._sensor)
        self._T_body_camera = _placed(self._folder / "sensor.yaml", self._sensor)
        self._poses = _poses(mav)
        self.imu = _recording(mav / "imu0", self._T_body_camera)

    def __len__(self) -> int:
        return len(self._stamps)

    def __getitem__(self, index: int) -> Frame:
        index = range(len(self))[index]
        image = read_image(self._folder / "data" / self._files[index])
        wanted = self._lens.intrinsics
        if image.shape[:2] != (wanted.height, wanted.width):
            raise SourceError(
                f"{self._files[index]} has {image.shape[1]}x{image.shape[0]} pixels, but "
                f"{self._folder / 'sensor.yaml'} says {wanted.width}x{wanted.height}."
            )
        return Frame(
            self._lens.undistorted(image),
            self._stamps[index],
            intrinsics=self._lens.intrinsics,
        )

    def truth(self, index: int) -> Truth | None:
        """The pose of the frame at `index` with unknown depth; None where no pose is near."""
        T_world_body = self._poses.at(self._stamps[range(len(self))[index]])
        if T_world_body is None:
            return None
        size = self._lens.intrinsics.height, self._lens.intrinsics.width
        return Truth(np.full(size, np.nan, np.float32), T_world_body @ self._T_body_camera)


@dataclass(frozen=True, eq=False)
class _Lens:
    intrinsics: Intrinsics
    undistorted: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class _Poses:
    """T_world_body by stamp: (N,) ns, (N, 3) metres, rotations."""

    stamps: np.ndarray
    positions: np.ndarray
    rotations: Rotation | None

    def at(self, stamp: int) -> np.ndarray | None:
        """(4, 4) between the two around a stamp; None where those are missing or far apart."""
        after = int(np.searchsorted(self.stamps, stamp))
        if self.rotations is None or after == len(self.stamps):
            return None
        before = after if self.stamps[after] == stamp else after - 1
        if before < 0 or self.stamps[after] - self.stamps[before] > _DENSE_NS:
            return None
        ends = [before, after]
        T = np.eye(4)
        if before == after:
            T[:3, :3], T[:3, 3] = self.rotations[before].as_matrix(), self.positions[before]
            return T
        span = float(self.stamps[after] - self.stamps[before])
        share = (stamp - self.stamps[before]) / span
        T[:3, :3] = Slerp([0.0, 1.0], self.rotations[ends])(share).as_matrix()
        T[:3, 3] = (1 - share) * self.positions[before] + share * self.positions[after]
        return T


def is_euroc(folder: Path) -> bool:
    """Whether a folder has this layout."""
    return any((folder / inner / "data.csv").exists() for inner in ("mav0/cam0", "cam0"))


def _recording(folder: Path, T_body_camera: np.ndarray) -> ImuRecording | None:
    if not (folder / "data.csv").exists():
        return None
    table = folder / "data.csv"
    values = _numbers(table, 7)
    stamps = np.array([_whole(table, row[0]) for row in _rows(table, 7)])
    if not np.isfinite(values).all():
        raise SourceError(
            f"{table}: the reading at {stamps[~np.isfinite(values).all(1)][0]} is none."
        )
    order = np.argsort(stamps, kind="stable")
    stamps, values = stamps[order], values[order]
    T_body_imu, noise = np.eye(4), ImuNoise()
    path = folder / "sensor.yaml"
    if path.exists():
        sensor = _read_yaml(path)
        T_body_imu = _placed(path, sensor)
        noise = _noise(path, sensor)
    T_camera_imu = np.linalg.inv(T_body_camera) @ T_body_imu
    return ImuRecording(ImuReadings(stamps, values[:, 1:4], values[:, 4:7]), T_camera_imu, noise)


def _noise(path: Path, sensor: dict[str, Any]) -> ImuNoise:
    told = {field: sensor[name] for field, name in _NOISE.items() if name in sensor}
    try:
        return ImuNoise(**{field: float(value) for field, value in told.items()})
    except (TypeError, ValueError):
        raise SourceError(
            f"{path}: {', '.join(_NOISE.values())} have to be numbers, not {told}."
        ) from None


def _poses(mav: Path) -> _Poses:
    for name in _TRUTH:
        path = mav / name / "data.csv"
        if path.exists() and len(_rows(path, 4)[0]) >= 8:
            values = _numbers(path, 8)
            stamps = np.array([_whole(path, row[0]) for row in _rows(path, 8)])
            rotations = Rotation.from_quat(values[:, [5, 6, 7, 4]])
            return _Poses(stamps, values[:, 1:4], rotations)
    return _Poses(np.zeros(0, np.int64), np.zeros((0, 3)), None)


def _lens(path: Path, sensor: dict[str, Any]) -> _Lens:
    if sensor.get("camera_model", "pinhole") != "pinhole":
        raise SourceError(f"{path}: camera_model {sensor['camera_model']!r} is not pinhole.")
    try:
        fx, fy, cx, cy = (float(n) for n in sensor["intrinsics"])
        width, height = (int(n) for n in sensor["resolution"])
        D = np.array(sensor.get("distortion_coefficients", ()), np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{path} needs intrinsics [fx, fy, cx, cy], resolution [width, height] and "
            f"distortion_coefficients: {error}."
        ) from None
    intrinsics = Intrinsics(fx, fy, cx, cy, width, height)
    model = sensor.get("distortion_model", "radial-tangential")
    if model not in ("radial-tangential", "equidistant"):
        raise SourceError(
            f"{path}: distortion_model {model!r} is neither radial-tangential nor equidistant."
        )
    if not D.any():
        return _Lens(intrinsics, lambda image: image)
    library: Any = cv2.fisheye if model == "equidistant" else cv2
    K, size = intrinsics.K, (width, height)
    x, y = library.initUndistortRectifyMap(K, D, np.eye(3), K, size, cv2.CV_16SC2)
    return _Lens(intrinsics, lambda image: cv2.remap(image, x, y, cv2.INTER_LINEAR))


def _placed(path: Path, sensor: dict[str, Any]) -> np.ndarray:
    """(4, 4) T_body_sensor."""
    try:
        T = np.array(sensor["T_BS"]["data"], np.float64).reshape(4, 4)
    except (KeyError, TypeError, ValueError):
        raise SourceError(f"{path} needs T_BS with data of 16 numbers.") from None
    R = T[:3, :3]
    if not np.allclose(R @ R.T, np.eye(3), atol=0.01) or np.linalg.det(R) < 0:
        raise SourceError(
            f"{path}: T_BS is no place of a sensor, its axes are not at right angles."
        )
    return T


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text()
    except OSError:
        raise SourceError(f"{path} does not exist, which gives the sensor's calibration.") from None
    try:
        # TUM-VI and OpenCV begin theirs with %YAML:1.0, which is no YAML.
        values = yaml.safe_load("\n".join(x for x in text.splitlines() if not x.startswith("%")))
    except yaml.YAMLError as error:
        raise SourceError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise SourceError(f"{path} holds no calibration.")
    return values


def _rows(path: Path, fields: int) -> list[list[str]]:
    """Lines of a table that are no comments."""
    rows = [line.split(",") for line in path.read_text().splitlines() if line.strip()]
    rows = [row for row in rows if not row[0].lstrip().startswith("#")]
    for row in rows:
        if len(row) < fields:
            raise SourceError(f"{path}: {fields} fields a line, not {len(row)}: {','.join(row)}")
    if not rows:
        raise SourceError(f"{path} holds no lines.")
    return rows


def _numbers(path: Path, fields: int) -> np.ndarray:
    try:
        return np.array([row[:fields] for row in _rows(path, fields)], np.float64)
    except ValueError as error:
        raise SourceError(f"{path}: {error}.") from None


def _whole(path: Path, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SourceError(f"{path}: {text!r} is no stamp in nanoseconds.") from None
