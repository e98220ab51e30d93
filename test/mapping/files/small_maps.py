# SPDX-License-Identifier: Apache-2.0
"""Mappers of a few frames, whose maps are quickly saved."""

from __future__ import annotations

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import (
    GraphConfig,
    KeyframeConfig,
    LevellingConfig,
    MapperConfig,
    WindowConfig,
)
from dens3r_ros.mapping.mapper import Mapper

CONFIG = MapperConfig(
    graph=GraphConfig(child_process=False),
    window=WindowConfig(keyframes=3),
    keyframes=KeyframeConfig(min_matched=0.9),
    levelling=LevellingConfig(level="camera"),
)
FRAMES = 12


def mapper_for(source, config=CONFIG, **options) -> Mapper:
    return Mapper(OracleEngine(source, long_side=160, **options), config)
