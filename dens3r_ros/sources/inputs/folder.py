# SPDX-License-Identifier: Apache-2.0
"""A folder of images of any kind and size, as they come from cameras and phones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.sources.calibration import FILE_NAME, read_calibration
from dens3r_ros.sources.images import read_image, upright_size
from dens3r_ros.sources.inputs.exif import exif_intrinsics
from dens3r_ros.sources.inputs.input import Unreadable, Wanted
from dens3r_ros.sources.source import SourceError

_SAME_SHAPE = 0.01
"""Relative difference of aspect ratios up to which an image is resized to the others' size."""
_NAMED = 5


class PhotoFolder:
    """Images of one folder in the order given, upright, `rate` to the second from stamp zero.

    Most images decide on the size: those of the same shape are resized to it, others left out.
    The lens is that of `camera.yaml`, else of the first image's EXIF, else not known.
    """

    def __init__(self, files: Sequence[Path], folder: Path, rate: float = 30.0) -> None:
        self.name = folder.resolve().name
        self._rate = rate
        self._unreadable: dict[int, str] = {}
        self._files = list(files)
        sizes = self._sizes()
        if not sizes:
            first = next(iter(self._unreadable.values()))
            raise SourceError(f"None of the {len(self._files)} images can be read: {first}")
        self.size = Counter(sizes.values()).most_common(1)[0][0]
        self.notes = self._settle_sizes(sizes)
        self.total: int | None = len(self._files)
        self.intrinsics, self.rough_lens = self._lens(folder, sizes)

    def frames(self, wanted: Wanted) -> Iterator[tuple[int, Frame | Unreadable]]:
        """See `Input`."""
        for index, path in enumerate(self._files):
            if wanted.over:
                return
            stamp = round(index * 1e9 / self._rate)
            if not (wanted.by_index(index) and wanted.by_stamp(stamp)):
                continue
            if index in self._unreadable:
                yield index, Unreadable(index, self._unreadable[index])
                continue
            try:
                image = self._resized(read_image(path))
            except SourceError as error:
                yield index, Unreadable(index, str(error))
                continue
            yield index, Frame(image, stamp, intrinsics=self.intrinsics)

    def _sizes(self) -> dict[int, tuple[int, int]]:
        """(height, width) by number of the image, of those whose header can be read."""
        sizes = {}
        for index, path in enumerate(self._files):
            try:
                sizes[index] = upright_size(path)
            except SourceError as error:
                self._unreadable[index] = str(error)
        return sizes

    def _settle_sizes(self, sizes: dict[int, tuple[int, int]]) -> tuple[str, ...]:
        height, width = self.size
        resized = []
        for index, (rows, columns) in sizes.items():
            if (rows, columns) == self.size:
                continue
            name = self._files[index].name
            if abs(columns / rows * height / width - 1) < _SAME_SHAPE:
                resized.append(name)
            else:
                self._unreadable[index] = (
                    f"{name} is {columns}x{rows}, most images are {width}x{height}: left out"
                )
        return (_listed(f"resized to {width}x{height}", resized),) if resized else ()

    def _resized(self, image: np.ndarray) -> np.ndarray:
        height, width = self.size
        if image.shape[:2] == self.size:
            return image
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)

    def _lens(
        self, folder: Path, sizes: dict[int, tuple[int, int]]
    ) -> tuple[Intrinsics | None, bool]:
        known = read_calibration(folder / FILE_NAME, self.size).intrinsics
        if known is not None:
            return known, False
        index = next(index for index, size in sizes.items() if size == self.size)
        told = exif_intrinsics(self._files[index], self.size)
        return told, told is not None


def _listed(what: str, names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return f"{len(names)} images {what}: {shown}"
