# SPDX-License-Identifier: Apache-2.0
"""The node's parameters as the mapper's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dens3r_ros.mapping.config import (
    ArchiveConfig,
    CamerasConfig,
    DecodingConfig,
    GraphConfig,
    LevellingConfig,
    LoopConfig,
    MapperConfig,
    TrackingConfig,
    WindowConfig,
)
from dens3r_ros.mapping.motion.config import MotionConfig
from dens3r_ros.nodes.settings.config import NodeConfig


def mapper_config(config: NodeConfig, extrinsics: Mapping[str, np.ndarray]) -> MapperConfig:
    """What the mapper is told; `extrinsics` are T_first_other of the further cameras."""
    mapping = config.mapping
    scale: Any = mapping.scale
    return MapperConfig(
        scale=scale,
        calibrated=config.input.use_camera_info,
        tracking=TrackingConfig(seed=mapping.seed),
        decoding=_decoding(config),
        window=WindowConfig(keyframes=mapping.window, views=mapping.views),
        graph=GraphConfig(neighbours=mapping.neighbours),
        loops=LoopConfig(
            enabled=mapping.loops,
            candidates=mapping.loop_candidates,
            interval=mapping.loop_interval,
        ),
        archive=ArchiveConfig(keyframes=mapping.archive),
        levelling=_levelling(config),
        cameras=CamerasConfig(odometry=config.input.cameras[0], extrinsics=extrinsics),
        motion=_motion(config),
    )


def _motion(config: NodeConfig) -> MotionConfig:
    motion = config.motion
    masks: Any = motion.masks
    return MotionConfig(
        motion.enabled, masks, motion.width, motion.before, motion.moves_from, motion.moves_on
    )


def _decoding(config: NodeConfig) -> DecodingConfig:
    """Replays repeat: with policy `every` no decision depends on how fast the machine is."""
    every = config.mapping.decode_every
    if not every and config.input.policy == "every":
        every = 1
    return DecodingConfig(every, config.mapping.decode_lag)


def _levelling(config: NodeConfig) -> LevellingConfig:
    level: Any = config.mapping.level
    if level != "base":
        return LevellingConfig(level=level)
    # Of what is here only this needs messages: offline, all else is read without ROS.
    from dens3r_ros.nodes.messages.poses import matrix_from_seven

    T_base_camera = matrix_from_seven(config.frames.base_from_camera)
    return LevellingConfig(level=level, T_base_camera=tuple(map(tuple, T_base_camera.tolist())))
