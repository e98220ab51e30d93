# SPDX-License-Identifier: Apache-2.0
"""What the node is about to work with, in one line for the log."""

from __future__ import annotations

from dens3r_ros.engines.protocol import EngineInfo
from dens3r_ros.nodes.settings.config import NodeConfig


def introduction(info: EngineInfo, config: NodeConfig) -> str:
    """Engine and why it, model, device, precision, size, calibration, what lengths are."""
    from dens3r_ros.engines.loading import choose_engine

    why = choose_engine(config.engine.name, config.engine.model).why
    model = info.model if info.model not in ("", info.name) else "none"
    size = f", images {info.image_size} pixels long" if info.image_size else ""
    return (
        f"engine {info.name} ({why}), model {model}, device {info.device}, "
        f"precision {info.precision}{size}; "
        f"calibration: {_calibration(config)}; lengths: {_lengths(info, config)}"
    )


def _calibration(config: NodeConfig) -> str:
    if not config.input.use_camera_info:
        return "none, input.use_camera_info is false"
    wait = config.input.camera_info_timeout
    return f"from camera_info where it comes within {wait:g} s of the first image, else estimated"


def _lengths(info: EngineInfo, config: NodeConfig) -> str:
    scale, learned = config.mapping.scale, config.input.scale_from
    if scale == "metric" or (scale == "auto" and info.metric):
        return "metres"
    if learned != "none":
        return f"no metres until input.scale_from {learned} has told how long they are"
    return "no metres but a unit of the map's own (input.scale_from would make them metres)"
