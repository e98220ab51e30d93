# SPDX-License-Identifier: Apache-2.0
"""One image file with its lens, for commands that are given single photos."""

from __future__ import annotations

from pathlib import Path

from dens3r_ros.frame import Frame
from dens3r_ros.sources.inputs.folder import PhotoFolder
from dens3r_ros.sources.inputs.input import Input, Unreadable
from dens3r_ros.sources.inputs.lens import with_lens
from dens3r_ros.sources.source import SourceError


class UnreadableImage(SourceError):
    """The file holds no image that can be read; the message says why."""


def read_one(image: Path, lens: str = "") -> tuple[Frame, bool]:
    """An image, upright, and whether its lens is a maker's figure and no calibration.

    The lens is that given (see `with_lens`), else that of a camera.yaml beside the image, else that
    of EXIF, else not known. UnreadableImage where the image cannot be read, another SourceError
    where the lens cannot.
    """
    try:
        one: Input = PhotoFolder([image], image.resolve().parent)
    except SourceError as error:
        raise UnreadableImage(str(error)) from error
    one = with_lens(one, lens) if lens else one
    read = next(frame for _, frame in one.frames(_Every()))
    if isinstance(read, Unreadable):
        raise UnreadableImage(read.reason)
    return read, one.rough_lens


class _Every:
    """Takes every image of an input."""

    over = False

    def by_index(self, index: int) -> bool:
        return True

    def by_stamp(self, stamp: int) -> bool:
        return True
