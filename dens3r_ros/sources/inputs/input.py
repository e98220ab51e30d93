# SPDX-License-Identifier: Apache-2.0
"""What every input of a reconstruction offers: frames in the order they were taken, once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from dens3r_ros.frame import Frame
from dens3r_ros.imu import ImuRecording
from dens3r_ros.sources.source import Source, SourceError


@dataclass(frozen=True)
class Unreadable:
    """An image that could not be read, and why; `index` counts from the input's beginning."""

    index: int
    reason: str


class Wanted(Protocol):
    """Says which images are taken, so that the others are not even decoded."""

    @property
    def over(self) -> bool:
        """Whether no later image is taken."""
        ...

    def by_index(self, index: int) -> bool:
        """Whether the image of that number, counted from zero, may be taken."""
        ...

    def by_stamp(self, stamp: int) -> bool:
        """Whether the image of that stamp, in nanoseconds, is taken; asked in their order."""
        ...


class Input(Protocol):
    """A run of images, read once from its beginning to its end."""

    name: str
    total: int | None
    """How many images there are; None where that is not known before the end."""
    notes: tuple[str, ...]
    """What was found at opening and a person should know, such as images that are left out."""
    rough_lens: bool
    """Whether intrinsics are a maker's figures, good to some percent, and no calibration."""

    def frames(self, wanted: Wanted) -> Iterator[tuple[int, Frame | Unreadable]]:
        """Number and frame of each image that is wanted."""
        ...


class SourceInput:
    """Any source of frames that can be read in its order."""

    def __init__(self, source: Source, notes: tuple[str, ...] = ()) -> None:
        self.name = source.name
        self.total: int | None = len(source)
        self.notes, self.rough_lens = notes, False
        self._source = source
        self.imu: ImuRecording | None = getattr(source, "imu", None)

    def frames(self, wanted: Wanted) -> Iterator[tuple[int, Frame | Unreadable]]:
        """See `Input`; an image that cannot be read costs no more than itself."""
        for index in range(len(self._source)):
            if wanted.over:
                return
            if not wanted.by_index(index):
                continue
            try:
                frame = self._source[index]
            except SourceError as error:
                yield index, Unreadable(index, str(error))
                continue
            if wanted.by_stamp(frame.stamp):
                yield index, frame
