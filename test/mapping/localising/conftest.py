# SPDX-License-Identifier: Apache-2.0
"""Maps in which photos are looked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import GraphConfig, KeyframeConfig, MapperConfig
from dens3r_ros.mapping.mapper import Mapper


@pytest.fixture(scope="session")
def map_of(tmp_path_factory: Any) -> Callable[[Any, float], Path]:
    """Every other frame of a room, mapped in metres, with a keyframe as soon as less than a share
    of the last one is seen."""

    def saved(room: Any, matched: float) -> Path:
        keyframes = KeyframeConfig(min_matched=matched)
        config = MapperConfig(graph=GraphConfig(child_process=False), keyframes=keyframes)
        mapper = Mapper(OracleEngine(room, long_side=160, metric=True), config)
        for index in range(0, len(room), 2):
            mapper.step(room[index])
        mapper.finish()
        path = tmp_path_factory.mktemp("maps") / "room.map"
        mapper.save(path)
        return path

    return saved
