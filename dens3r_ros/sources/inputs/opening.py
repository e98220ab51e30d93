# SPDX-License-Identifier: Apache-2.0
"""From what a person names to the input that it is."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dens3r_ros.sources.images import IMAGE_SUFFIXES, image_files
from dens3r_ros.sources.inputs.bag import BagInput, is_bag
from dens3r_ros.sources.inputs.film import Film
from dens3r_ros.sources.inputs.folder import PhotoFolder
from dens3r_ros.sources.inputs.input import Input, SourceInput
from dens3r_ros.sources.inputs.live_camera import LiveCamera
from dens3r_ros.sources.opening import open_source
from dens3r_ros.sources.source import SourceError
from dens3r_ros.sources.video import VIDEO_SUFFIXES

ADDRESSES = ("rtsp://", "rtsps://", "rtmp://", "http://", "https://", "udp://", "srt://")
MORE_VIDEOS = (".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp", ".wmv", ".flv", ".ogv", ".gif")


@dataclass(frozen=True)
class InputOptions:
    """What a person may say of an input: images a second of a folder, a bag's image topic."""

    rate: float = 30.0
    topic: str = ""


def open_inputs(named: Sequence[str], asked: InputOptions | None = None) -> list[Input]:
    """All that were named, in their order; single images together are one input."""
    paths = [Path(one) for one in named]
    if all(path.suffix.lower() in IMAGE_SUFFIXES for path in paths):
        missing = [str(path) for path in paths if not path.is_file()]
        if missing:
            raise SourceError(f"{', '.join(missing[:3])}: no such file.")
        return [PhotoFolder(paths, paths[0].resolve().parent, (asked or InputOptions()).rate)]
    return [open_input(one, asked) for one in named]


def open_input(named: str, asked: InputOptions | None = None) -> Input:
    """The input that a path, address or camera number is; SourceError with what was found."""
    asked = asked or InputOptions()
    if named.startswith("procedural:"):
        return SourceInput(open_source(named))
    if named.startswith(ADDRESSES) or named.isdecimal():
        return LiveCamera(named)
    path = Path(named).expanduser()
    if not path.exists():
        raise SourceError(
            f"{named} does not exist. An input is a folder, a video, a bag, the number of a camera "
            f"or an address that begins with {', '.join(ADDRESSES[:2])} ..."
        )
    opened = _file(path, asked) if path.is_file() else _folder(path, asked)
    return opened()


def _file(path: Path, asked: InputOptions) -> Callable[[], Input]:
    suffix = path.suffix.lower()
    if is_bag(path):
        return lambda: BagInput(path, asked.topic)
    if suffix in VIDEO_SUFFIXES + MORE_VIDEOS:
        if importlib.util.find_spec("av") is None:
            note = "PyAV is missing (pip install 'dens3r_ros[video]'): stamps are of a steady rate"
            return lambda: SourceInput(open_source(path), (note,))
        return lambda: Film(path)
    raise SourceError(
        f"{path} is a file that is neither a video nor a bag (.mcap, .db3). Of images give the "
        "folder."
    )


def _folder(path: Path, asked: InputOptions) -> Callable[[], Input]:
    if is_bag(path):
        return lambda: BagInput(path, asked.topic)
    if (path / "rgb.txt").exists():
        return lambda: SourceInput(open_source(path))
    if (path / "mav0").is_dir():
        return lambda: _euroc(path)
    images = image_files(path)
    if images:
        return lambda: PhotoFolder(images, path, asked.rate)
    if not any(path.iterdir()):
        raise SourceError(f"{path} is empty.")
    return lambda: SourceInput(open_source(path))


def _euroc(path: Path) -> Input:
    try:
        from dens3r_ros.sources.euroc import EurocSequence
    except ImportError:
        left = path / "mav0" / "cam0" / "data"
        raise SourceError(
            f"{path} is a EuRoC sequence: give its images' folder, {left}, and --intrinsics."
        ) from None
    return SourceInput(EurocSequence(path))
