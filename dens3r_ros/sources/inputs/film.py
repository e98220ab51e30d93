# SPDX-License-Identifier: Apache-2.0
"""Videos by FFmpeg through PyAV: true stamps where the frame rate varies, upright as the phone was
held, and as much of a cut-off file as there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.sources.calibration import read_calibration
from dens3r_ros.sources.inputs.input import Unreadable, Wanted
from dens3r_ros.sources.source import SourceError


class Film:
    """The first video stream of a file; stamps count from its first picture.

    `walk.mp4` may have its lens in `walk.camera.yaml`.
    """

    rough_lens = False

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._path = path
        with self._opened() as container:
            stream = _video_stream(container, path)
            self.total: int | None = stream.frames or None
            first = next(_decoded(container, stream), None)
        if first is None:
            raise SourceError(f"{path} holds no picture that can be decoded.")
        if isinstance(first, Unreadable):
            raise SourceError(f"{path}: {first.reason}")
        size = upright(first).shape[:2]
        self.notes = _notes(first)
        self.intrinsics: Intrinsics | None = read_calibration(
            path.with_suffix(".camera.yaml"), (size[0], size[1])
        ).intrinsics

    def frames(self, wanted: Wanted) -> Iterator[tuple[int, Frame | Unreadable]]:
        """See `Input`."""
        began: float | None = None
        with self._opened() as container:
            stream = _video_stream(container, self._path)
            for index, picture in enumerate(_decoded(container, stream)):
                if wanted.over:
                    return
                if isinstance(picture, Unreadable):
                    yield index, Unreadable(index, f"{self._path.name}: {picture.reason}")
                    continue
                seconds = float(picture.time or 0.0)
                began = seconds if began is None else began
                stamp = round((seconds - began) * 1e9)
                if wanted.by_index(index) and wanted.by_stamp(stamp):
                    yield index, Frame(upright(picture), stamp, intrinsics=self.intrinsics)

    def _opened(self) -> Any:
        try:
            import av
        except ImportError as error:
            raise SourceError(
                f"{self._path}: films are read by PyAV: pip install 'dens3r_ros[video]'"
            ) from error
        try:
            return av.open(str(self._path))
        except (av.FFmpegError, OSError) as error:
            raise SourceError(f"{self._path} is no video that FFmpeg can read: {error}.") from error


def upright(picture: Any) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a decoded picture, turned as its display matrix asks."""
    image = picture.to_ndarray(format="rgb24")
    turns = round((getattr(picture, "rotation", 0) or 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns))


def _notes(picture: Any) -> tuple[str, ...]:
    turned = round((getattr(picture, "rotation", 0) or 0) / 90) % 4
    return (f"turned by {90 * turned} degrees as the file says",) if turned else ()


def _video_stream(container: Any, path: Path) -> Any:
    if not container.streams.video:
        raise SourceError(f"{path} holds no video stream.")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    return stream


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Pictures in their order; what is damaged comes as `Unreadable`."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError as error:
            yield Unreadable(-1, f"the file ends early: {error}")
            return
        try:
            yield from packet.decode()
        except av.FFmpegError as error:
            yield Unreadable(-1, f"a picture does not decode: {error}")
