# SPDX-License-Identifier: Apache-2.0
"""Clips of the way between two photos: films or folders of images, made before or by a command."""

from __future__ import annotations

import itertools
import shlex
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dens3r_ros.frame import Frame
from dens3r_ros.sources.images import image_files, read_image
from dens3r_ros.sources.inputs.film import Film
from dens3r_ros.sources.inputs.input import Unreadable
from dens3r_ros.sources.source import SourceError
from dens3r_ros.sources.video import VIDEO_SUFFIXES

_PLACES = ("{a}", "{b}", "{out}")


@dataclass(frozen=True)
class Clip:
    """A film or a folder of images in their order, read when its frames are asked for; `name` is
    what people know it by."""

    path: Path
    name: str

    def __len__(self) -> int:
        if self.path.is_dir():
            return len(image_files(self.path))
        film = Film(self.path)
        return film.total or sum(1 for _ in film.frames(_These(None)))

    def frames(self, numbers: Iterable[int]) -> dict[int, Frame]:
        """Its frames of these numbers, as far as they can be read."""
        wanted = set(numbers)
        found: dict[int, Frame] = {}
        if self.path.is_dir():
            files = image_files(self.path)
            for number in sorted(wanted):
                try:
                    found[number] = Frame(read_image(files[number]), number)
                except SourceError:
                    continue
            return found
        for number, frame in Film(self.path).frames(_These(wanted)):
            if not isinstance(frame, Unreadable):
                found[number] = frame
        return found


class _These:
    """Takes images of a film by number; None takes all."""

    def __init__(self, numbers: Collection[int] | None) -> None:
        self._left = None if numbers is None else set(numbers)

    @property
    def over(self) -> bool:
        """See `Wanted`."""
        return self._left is not None and not self._left

    def by_index(self, index: int) -> bool:
        """See `Wanted`."""
        if self._left is None:
            return True
        taken = index in self._left
        self._left = {number for number in self._left if number > index}
        return taken

    def by_stamp(self, stamp: int) -> bool:
        """See `Wanted`."""
        return True


def clips_in(folder: Path) -> list[Clip]:
    """Every film in a folder and below, and every folder of images; SourceError where there are
    none."""
    if not folder.is_dir():
        raise SourceError(f"{folder} is no folder: name one with clips of the way between")
    paths = [path for path in sorted(folder.rglob("*")) if _is_clip(path)]
    found = [Clip(path, str(path.relative_to(folder))) for path in paths]
    if image_files(folder):
        found.append(Clip(folder, folder.name))
    if not found:
        raise SourceError(
            f"{folder} holds no clips: films ({', '.join(VIDEO_SUFFIXES)}), or a folder of images"
            " for each"
        )
    return found


def _is_clip(path: Path) -> bool:
    if path.is_dir():
        return bool(image_files(path))
    return path.suffix.lower() in VIDEO_SUFFIXES


def check_generator(command: str) -> list[str]:
    """The command's parts; SourceError where it does not say what goes where."""
    try:
        parts = shlex.split(command)
    except ValueError as error:
        raise SourceError(f"--generator {command}: {error}") from error
    missing = [place for place in _PLACES if not any(place in part for part in parts)]
    if missing:
        raise SourceError(
            f"--generator needs {', '.join(missing)}: the two photos, and the empty folder that its"
            " clip is written into, as in 'make_clip {a} {b} {out}/clip.mp4'"
        )
    return parts


def generate(
    command: str,
    photos: tuple[Path, Path],
    into: Path,
    count: int,
    tell: Callable[[int, str], None] = lambda done, problem: None,
) -> list[Clip]:
    """Run a command `count` times, every other time with the photos exchanged; all clips that then
    lie in the folder.

    `tell` hears how many are done, and what was wrong with the last one. SourceError where no run
    made a clip.
    """
    parts, made, problem = check_generator(command), 0, ""
    for run, out in enumerate(_new_folders(into, count)):
        a, b = photos if run % 2 == 0 else photos[::-1]
        given = {"{a}": str(a.resolve()), "{b}": str(b.resolve()), "{out}": str(out.resolve())}
        problem = _ran([_filled(part, given) for part in parts]) or _nothing_in(out)
        made += not problem
        tell(run + 1, problem)
    if not made:
        raise SourceError(f"--generator made no clip in {count} runs: {problem}")
    return clips_in(into)


def _new_folders(into: Path, count: int) -> Iterator[Path]:
    """Folders that were not there, each made when it is asked for."""
    numbers = (n for n in itertools.count() if not (into / f"generated_{n}").exists())
    for number in itertools.islice(numbers, count):
        out = into / f"generated_{number}"
        out.mkdir(parents=True)
        yield out


def _filled(part: str, given: dict[str, str]) -> str:
    for place, value in given.items():
        part = part.replace(place, value)
    return part


def _ran(command: list[str]) -> str:
    """What was wrong; empty where the command ended well."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"{command[0]} cannot be run: {error.strerror}"
    if ran.returncode == 0:
        return ""
    said = (ran.stderr or ran.stdout).strip().splitlines()
    return f"{command[0]} ended with code {ran.returncode}" + (f": {said[-1]}" if said else "")


def _nothing_in(out: Path) -> str:
    try:
        clips_in(out)
    except SourceError:
        return "it ended well and wrote no film and no images"
    return ""
