# SPDX-License-Identifier: Apache-2.0
"""Which file a name in a service request means: services write nowhere but where they may."""

from __future__ import annotations

from pathlib import Path

from dens3r_ros.model_store.places import data_dir
from dens3r_ros.nodes.settings.config import MapParameters


def map_directory(config: MapParameters) -> Path:
    """The folder of saved maps."""
    given = config.directory
    return (_expanded(given) if given else data_dir() / "maps").absolute()


def map_path(name: str, config: MapParameters) -> Path:
    """The file of that name; ValueError, with a sentence, where it may not be used."""
    if not name.strip():
        raise ValueError("path is empty: name a file")
    directory = map_directory(config)
    path = directory / _expanded(name)
    if config.allow_anywhere:
        return path
    try:
        found, allowed = path.resolve(), directory.resolve()
    except RuntimeError as error:
        raise ValueError(f"{path} leads nowhere: {error}") from error
    if found == allowed or not found.is_relative_to(allowed):
        raise ValueError(
            f"{found} is not below map.directory {allowed}: give a name relative to that, or set "
            "map.allow_anywhere"
        )
    return found


def make_room(path: Path, config: MapParameters) -> None:
    """Make the folder of a map that is to be written below the directory."""
    if path.is_relative_to(map_directory(config).resolve()):
        path.parent.mkdir(parents=True, exist_ok=True)


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise ValueError(f"'{name}': {error}") from error
