# SPDX-License-Identifier: Apache-2.0
"""What a map may be written over: nothing, or another map that it does not empty."""

from __future__ import annotations

from pathlib import Path

from dens3r_ros.mapping.map_file import MapFileError, SavedMap
from dens3r_ros.mapping.map_reading import read_info


def check_target(path: Path, saved: SavedMap) -> None:
    """OSError or MapFileError, with a sentence, where a map must not be written to a file."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file")
    if not path.exists():
        return
    try:
        there = read_info(path)
    except MapFileError as error:
        raise MapFileError(
            f"{path} is there and is not replaced, since it is no whole map of this version"
            f" ({error}); move it away or name another file"
        ) from error
    if there.keyframes and not saved.poses:
        raise MapFileError(
            f"the map is empty, and {path} holds one of {len(there.keyframes)} keyframes: it is"
            " not replaced; delete it first if it is not wanted"
        )
