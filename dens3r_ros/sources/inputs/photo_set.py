# SPDX-License-Identifier: Apache-2.0
"""Photos in any order, each with a lens of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.sources.calibration import FILE_NAME, read_calibration
from dens3r_ros.sources.images import IMAGE_SUFFIXES, image_files, read_image, upright_size
from dens3r_ros.sources.inputs.exif import exif_intrinsics
from dens3r_ros.sources.inputs.input import Unreadable, Wanted
from dens3r_ros.sources.source import SourceError

_APART_NS = 1_000_000_000


class PhotoSet:
    """Images of one folder, upright; each is a camera that bears its file's name, and its stamp is
    its number in seconds.

    The lens is that of `camera.yaml`, else of each image's EXIF, else not known.
    """

    def __init__(self, files: Sequence[Path], folder: Path) -> None:
        self.name, self._folder = folder.resolve().name, folder
        self._files = list(files)
        self.total: int | None = len(self._files)
        self.rough_lens = not (folder / FILE_NAME).is_file()
        sizes = [size for path in self._files if (size := _size(path)) is not None]
        if not sizes:
            raise SourceError(f"none of the {len(self._files)} photos can be read")
        self.usual_size = Counter(sizes).most_common(1)[0][0]
        """(height, width) of most."""
        self.notes: tuple[str, ...] = ()

    def frames(self, wanted: Wanted) -> Iterator[tuple[int, Frame | Unreadable]]:
        """See `Input`."""
        for index, path in enumerate(self._files):
            stamp = index * _APART_NS
            if wanted.over or not (wanted.by_index(index) and wanted.by_stamp(stamp)):
                continue
            try:
                image = read_image(path)
                lens = self._lens(path, (image.shape[0], image.shape[1]))
            except SourceError as error:
                yield index, Unreadable(index, str(error))
                continue
            yield index, Frame(image, stamp, path.name, lens)

    def _lens(self, path: Path, size: tuple[int, int]) -> Intrinsics | None:
        if self.rough_lens:
            return exif_intrinsics(path, size)
        return read_calibration(self._folder / FILE_NAME, size).intrinsics


def _size(path: Path) -> tuple[int, int] | None:
    """(height, width), None where the file cannot be read."""
    try:
        return upright_size(path)
    except SourceError:
        return None


def at_size(frame: Frame, size: tuple[int, int]) -> Frame:
    """The middle of an image that has the shape of `size` (height, width), resized to it."""
    if frame.size == size:
        return frame
    (rows, columns), (height, width) = frame.size, size
    scale = min(rows / height, columns / width)
    tall, wide = min(rows, round(height * scale)), min(columns, round(width * scale))
    top, left = (rows - tall) // 2, (columns - wide) // 2
    middle = np.ascontiguousarray(frame.image[top : top + tall, left : left + wide])
    image = cv2.resize(middle, (width, height), interpolation=cv2.INTER_AREA)
    lens = frame.intrinsics
    if lens is not None:
        lens = lens.cropped(left, top, wide, tall).resized(width, height)
    return replace(frame, image=image, intrinsics=lens)


def plain_images(named: Sequence[str]) -> list[Path] | None:
    """The images, where that is all that was named: one folder of them, or images of one folder."""
    paths = [Path(one).expanduser() for one in named]
    if len(paths) == 1 and paths[0].is_dir():
        sequence = (paths[0] / "rgb.txt").exists() or (paths[0] / "mav0").is_dir()
        bag = (paths[0] / "metadata.yaml").exists()
        return None if sequence or bag else image_files(paths[0]) or None
    images = all(path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES for path in paths)
    together = len({path.resolve().parent for path in paths}) == 1
    return paths if images and together else None


def open_photos(named: Sequence[str]) -> PhotoSet:
    """The photos of one folder, or of the images that were named; SourceError where that is
    anything else."""
    paths = [Path(one).expanduser() for one in named]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise SourceError(f"{', '.join(missing[:3])} does not exist")
    if len(paths) == 1 and paths[0].is_dir():
        files = image_files(paths[0])
        if not files:
            raise SourceError(f"{paths[0]} holds no images")
        return PhotoSet(files, paths[0])
    images = all(path.suffix.lower() in IMAGE_SUFFIXES for path in paths)
    if images and len({path.resolve().parent for path in paths}) == 1:
        return PhotoSet(paths, paths[0].resolve().parent)
    raise SourceError("--mode photos takes one folder of images, or images of one folder")
