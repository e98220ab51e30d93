# SPDX-License-Identifier: Apache-2.0
"""A folder of images as a source of frames."""

from __future__ import annotations

from pathlib import Path

from dens3r_ros.frame import Frame
from dens3r_ros.sources.calibration import FILE_NAME, read_calibration
from dens3r_ros.sources.images import common_size, image_files, read_image
from dens3r_ros.sources.source import SourceError, Truth


class ImageFolder:
    """The images of one folder in natural order, all of one size, with no truth.

    Images carry no stamps: they are taken to be `rate` to the second, from zero on. A
    `camera.yaml` beside them gives their intrinsics.
    """

    def __init__(self, folder: Path, rate: float = 30.0) -> None:
        self.name = folder.resolve().name
        self._files = image_files(folder)
        if not self._files:
            raise SourceError(f"{folder} holds no images.")
        self._intrinsics = read_calibration(folder / FILE_NAME, common_size(self._files)).intrinsics
        self._rate = rate

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Frame:
        index = range(len(self))[index]
        stamp = round(index * 1e9 / self._rate)
        return Frame(read_image(self._files[index]), stamp, intrinsics=self._intrinsics)

    def truth(self, index: int) -> Truth | None:
        """Nothing is known: always None."""
        return None
