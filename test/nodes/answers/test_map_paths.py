# SPDX-License-Identifier: Apache-2.0
"""If these fail, a service request writes over a user's files, or a map is not found again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dens3r_ros.nodes.answers.map_paths import make_room, map_directory, map_path
from dens3r_ros.nodes.settings.config import MapParameters


@pytest.fixture
def config(tmp_path: Path) -> MapParameters:
    (tmp_path / "maps").mkdir()
    return MapParameters(directory=str(tmp_path / "maps"))


def test_relative_names_are_below_the_directory(config: MapParameters, tmp_path: Path) -> None:
    path = map_path("site/office.map", config)
    assert path == tmp_path / "maps" / "site" / "office.map"
    assert map_path(str(path), config) == path
    make_room(path, config)
    assert path.parent.is_dir()


@pytest.mark.parametrize(
    "name", ["../office.map", "site/../../office.map", "/etc/hosts", "~/office.map", ".", "link/a"]
)
def test_what_leaves_the_directory_is_refused(
    config: MapParameters, tmp_path: Path, name: str
) -> None:
    (tmp_path / "maps" / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match=r"not below map\.directory"):
        map_path(name, config)
    assert map_path(name, replace(config, allow_anywhere=True)).is_absolute()


@pytest.mark.parametrize("name", ["", " ", "~nobody-of-that-name/x", "loop/a"])
def test_names_that_are_none_are_refused_in_a_sentence(
    config: MapParameters, tmp_path: Path, name: str
) -> None:
    (tmp_path / "maps" / "loop").symlink_to(tmp_path / "maps" / "loop")
    with pytest.raises((ValueError, OSError)):
        map_path(name, config)


def test_the_directory_is_the_users_data_folder_unless_one_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert map_directory(MapParameters()) == tmp_path / "data" / "dens3r" / "maps"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert map_directory(MapParameters()) == tmp_path / ".local/share/dens3r/maps"
    assert map_directory(MapParameters(directory="~/maps")) == tmp_path / "maps"


def test_room_is_made_below_the_directory_alone(config: MapParameters, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere" / "office.map"
    make_room(outside, replace(config, allow_anywhere=True))
    assert not outside.parent.exists()
