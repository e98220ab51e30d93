# SPDX-License-Identifier: Apache-2.0
"""Walks through a mapper whose engine knows the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dens3r_ros.evaluation.metrics.trajectory import TrajectoryErrors, compare
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.config import GraphConfig, MapperConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Update

INLINE = MapperConfig(graph=GraphConfig(child_process=False))


def oracle(source, **options) -> OracleEngine:
    return OracleEngine(source, long_side=160, **options)


def plain(frame: Frame) -> Frame:
    return replace(frame, intrinsics=None)


def mapped(source, config=INLINE, calibrated=True, **options) -> tuple[list[Update], Mapper]:
    mapper = Mapper(oracle(source, **options), config)
    frames = [source[i] if calibrated else plain(source[i]) for i in range(len(source))]
    updates = [mapper.step(frame) for frame in frames]
    mapper.finish()
    return updates, mapper


def errors(source, mapper: Mapper) -> TrajectoryErrors:
    index_of = {source[i].stamp: i for i in range(len(source))}
    placed = mapper.trajectory()
    stamps = np.array([pose.stamp for pose in placed]) * 1e-9
    truth = np.array([source.truth(index_of[pose.stamp]).T_world_camera for pose in placed])
    return compare(stamps, np.array([pose.T_map_camera for pose in placed]), truth)
