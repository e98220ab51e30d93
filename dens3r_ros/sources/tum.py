# SPDX-License-Identifier: Apache-2.0
"""Sequences in the layout of the TUM RGB-D benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.frame import Frame
from dens3r_ros.sources.calibration import read_calibration
from dens3r_ros.sources.images import common_size, read_depth, read_image
from dens3r_ros.sources.source import SourceError, Truth


@dataclass(frozen=True)
class _Listing:
    """The lines of one list file: stamps in nanoseconds, rising, and what stands behind each."""

    stamps: np.ndarray
    fields: list[list[str]]

    def nearest(self, stamp: int, tolerance: int) -> list[str] | None:
        """The fields of the line nearest in time, None where it is further than `tolerance`."""
        if not len(self.stamps):
            return None
        after = int(np.searchsorted(self.stamps, stamp))
        around = range(max(after - 1, 0), min(after + 1, len(self.stamps)))
        best = min(around, key=lambda line: abs(int(self.stamps[line]) - stamp))
        return self.fields[best] if abs(int(self.stamps[best]) - stamp) <= tolerance else None


class TumSequence:
    """A folder with `rgb.txt` and, for truth, `groundtruth.txt` and `depth.txt`.

    Depth and pose belong to an image if they are the nearest in time and within `tolerance`
    seconds; poses are taken as listed, not interpolated. Depth is all NaN where a frame has a
    pose but no depth. `camera.yaml` may give intrinsics and depth values per metre (5000 if not).
    """

    def __init__(self, folder: Path, tolerance: float = 0.02) -> None:
        self.name = folder.resolve().name
        self._folder = folder
        self._tolerance = round(tolerance * 1e9)
        self._images = _read_listing(folder / "rgb.txt", fields=1)
        if not self._images.fields:
            raise SourceError(f"{folder / 'rgb.txt'} lists no images.")
        self._depths = _read_listing(folder / "depth.txt", fields=1)
        self._poses = _read_listing(folder / "groundtruth.txt", fields=7)
        self._size = common_size([folder / line[0] for line in self._images.fields])
        self._calibration = read_calibration(folder, self._size)

    def __len__(self) -> int:
        return len(self._images.fields)

    def __getitem__(self, index: int) -> Frame:
        index = range(len(self))[index]
        image = read_image(self._folder / self._images.fields[index][0])
        stamp = int(self._images.stamps[index])
        return Frame(image, stamp, intrinsics=self._calibration.intrinsics)

    def truth(self, index: int) -> Truth | None:
        """Depth and pose of the frame at `index`; None where no pose is near enough in time."""
        stamp = int(self._images.stamps[range(len(self))[index]])
        pose = self._poses.nearest(stamp, self._tolerance)
        if pose is None:
            return None
        depth = self._depths.nearest(stamp, self._tolerance)
        return Truth(self._depth(depth), _pose(self._folder / "groundtruth.txt", pose))

    def _depth(self, fields: list[str] | None) -> np.ndarray:
        if fields is None:
            return np.full(self._size, np.nan, np.float32)
        path = self._folder / fields[0]
        depth = read_depth(path, self._calibration.depth_scale)
        if depth.shape != self._size:
            raise SourceError(
                f"{path} is {depth.shape[1]}x{depth.shape[0]}, but the images are "
                f"{self._size[1]}x{self._size[0]}: depth must be registered to the images."
            )
        return depth


def _read_listing(path: Path, fields: int) -> _Listing:
    """The file's lines in the order of their stamps; none where there is no such file."""
    if not path.exists():
        return _Listing(np.empty(0, np.int64), [])
    lines = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        words = line.split("#")[0].replace(",", " ").split()
        if words:
            lines.append(_parsed(path, number, words, fields))
    lines.sort(key=lambda line: line[0])
    return _Listing(np.array([line[0] for line in lines], np.int64), [line[1] for line in lines])


def _parsed(path: Path, number: int, words: list[str], fields: int) -> tuple[int, list[str]]:
    try:
        stamp = int(Decimal(words[0]) * 10**9)
    except (InvalidOperation, ValueError, OverflowError):
        raise SourceError(f"{path}:{number}: {words[0]!r} is no stamp in seconds.") from None
    if len(words) < fields + 1:
        raise SourceError(
            f"{path}:{number}: {fields} fields after the stamp, not {len(words) - 1}."
        )
    return stamp, words[1 : fields + 1]


def _pose(path: Path, fields: list[str]) -> np.ndarray:
    try:
        values = np.array(fields, dtype=np.float64)
        rotation = Rotation.from_quat(values[3:])
    except ValueError as error:
        raise SourceError(f"{path}: no pose in {' '.join(fields)!r}: {error}.") from None
    T_world_camera = np.eye(4)
    T_world_camera[:3, :3] = rotation.as_matrix()
    T_world_camera[:3, 3] = values[:3]
    return T_world_camera
