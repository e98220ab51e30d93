# SPDX-License-Identifier: Apache-2.0
"""A video file as a source of frames, with poses and intrinsics where they lie beside it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.sources.calibration import Calibration, read_calibration
from dens3r_ros.sources.source import SourceError, Truth
from dens3r_ros.sources.tum import PoseListing

VIDEO_SUFFIXES = (".mp4", ".webm", ".mkv", ".avi", ".mov", ".m4v")


class Video:
    """The frames of one video; `walk.webm` may have `walk.poses.txt` and `walk.camera.yaml`.

    Poses are in the layout of TUM's `groundtruth.txt`, their stamps counted from the video's
    beginning. Frames are quick in their order; any other asks the decoder to seek.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._path = path
        self._capture = cv2.VideoCapture(str(path))
        self._count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        if not self._capture.isOpened() or self._count <= 0 or self.rate <= 0:
            raise SourceError(f"{path} is no video that OpenCV can read.")
        self._next = 0
        self._calibration = self._read_calibration()
        poses = path.with_suffix(".poses.txt")
        self._poses = PoseListing(poses) if poses.exists() else None

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Frame:
        index = range(self._count)[index]
        if index != self._next:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        read, image = self._capture.read()
        if not read:
            raise SourceError(f"{self._path}: frame {index} of {self._count} does not decode.")
        self._next = index + 1
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        return Frame(rgb, self._stamp(index), intrinsics=self._calibration.intrinsics)

    def truth(self, index: int) -> Truth | None:
        """The pose of the frame at `index` with unknown depth; None without poses."""
        if self._poses is None:
            return None
        stamp = self._stamp(range(self._count)[index])
        T_world_camera = self._poses.nearest(stamp, tolerance=round(0.5e9 / self.rate))
        if T_world_camera is None:
            return None
        return Truth(np.full(self._size(), np.nan, np.float32), T_world_camera)

    def _stamp(self, index: int) -> int:
        return round(index * 1e9 / self.rate)

    def _size(self) -> tuple[int, int]:
        sides = (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
        height, width = (int(self._capture.get(side)) for side in sides)
        return height, width

    def _read_calibration(self) -> Calibration:
        path = self._path.with_suffix(".camera.yaml")
        return read_calibration(path, self._size())
