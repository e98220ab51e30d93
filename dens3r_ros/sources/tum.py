# SPDX-License-Identifier: Apache-2.0
"""Sequences in the layout of the TUM RGB-D benchmark."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.sources.calibration import FILE_NAME, read_calibration
from dens3r_ros.sources.images import common_size, read_depth, read_image
from dens3r_ros.sources.listing import PoseListing, read_listing
from dens3r_ros.sources.source import SourceError, Truth


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
        self._images = read_listing(folder / "rgb.txt", fields=1)
        if not self._images.fields:
            raise SourceError(f"{folder / 'rgb.txt'} lists no images.")
        self._depths = read_listing(folder / "depth.txt", fields=1)
        self._poses = PoseListing(folder / "groundtruth.txt")
        self._size = common_size([folder / line[0] for line in self._images.fields])
        self._calibration = read_calibration(folder / FILE_NAME, self._size)

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
        T_world_camera = self._poses.nearest(stamp, self._tolerance)
        if T_world_camera is None:
            return None
        return Truth(self._depth(self._depths.nearest(stamp, self._tolerance)), T_world_camera)

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
