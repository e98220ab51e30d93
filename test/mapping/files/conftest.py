# SPDX-License-Identifier: Apache-2.0
"""A map in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_maps import FRAMES, mapper_for

from dens3r_ros.mapping.mapper import Mapper


@pytest.fixture(scope="module")
def room_map(walk, tmp_path_factory) -> tuple[Mapper, bytes]:
    mapper = mapper_for(walk)
    for index in range(FRAMES):
        mapper.step(walk[index])
    path = tmp_path_factory.mktemp("map") / "room.map"
    assert mapper.save(path) == len(mapper.keyframes()) > 4
    return mapper, path.read_bytes()


@pytest.fixture
def saved(room_map, tmp_path) -> tuple[Mapper, Path]:
    path = tmp_path / "room.map"
    path.write_bytes(room_map[1])
    return room_map[0], path
