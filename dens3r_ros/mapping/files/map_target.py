# SPDX-License-Identifier: Apache-2.0
"""What a map may be written over: nothing, or another map that it does not empty."""

from __future__ import annotations

from pathlib import Path

from dens3r_ros.mapping.files.map_file import MapFileError, SavedMap
from dens3r_ros.mapping.files.map_reading import read_info


def check_target(path: Path, saved: SavedMap) -> None:
    """OSError or MapFileError, with a sentence, where a map must not be written to a file."""
    check_not_emptied(path, replaceable(path), saved)


def replaceable(path: Path) -> int:
    """Keyframes of the map that is there, 0 where nothing is; OSError or MapFileError where it is
    something else."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file")
    if not path.exists():
        return 0
    try:
        return len(read_info(path).keyframes)
    except MapFileError as error:
        raise MapFileError(
            f"{path} is there and is not replaced, since it is no whole map of this version"
            f" ({error}); move it away or name another file"
        ) from error


def check_not_emptied(path: Path, there: int, saved: SavedMap) -> None:
    """MapFileError where an empty map would replace one that has keyframes."""
    if there and not saved.poses:
        raise MapFileError(
            f"the map is empty, and {path} holds one of {there} keyframes: it is not replaced;"
            " delete it first if it is not wanted"
        )
