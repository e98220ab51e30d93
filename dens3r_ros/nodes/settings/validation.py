# SPDX-License-Identifier: Apache-2.0
"""Which configurations are possible; each refusal says what was found and what is allowed."""

from __future__ import annotations

import difflib
import importlib.util
import math
from collections.abc import Iterable
from typing import Any

from dens3r_ros.nodes.settings.config import NodeConfig, parameter_table
from dens3r_ros.nodes.settings.remote import remote_config
from dens3r_ros.nodes.settings.rule import Rule

QUATERNION_ERROR = 0.01
ENGINES = ("auto", "torch", "onnx", "geometric", "hybrid", "remote")


def problems(config: NodeConfig) -> list[str]:
    """Every reason why `config` cannot work; empty if it can."""
    found = [
        f"{name}: {reason}"
        for name, value, rule in parameter_table(config)
        if (reason := _broken_rule(value, rule))
    ]
    return found + list(_contradictions(config))


def unknown_names(given: Iterable[str], config: NodeConfig) -> list[str]:
    """A sentence for each given parameter that does not exist, with the closest one that does."""
    known = [name for name, _, _ in parameter_table(config)]
    sentences = []
    for name in given:
        if name in known:
            continue
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        sentences.append(f"parameter '{name}' does not exist{hint}")
    return sentences


def _broken_rule(value: Any, rule: Rule) -> str | None:
    if rule.choices and value not in rule.choices:
        return f"'{value}' is none of {', '.join(rule.choices)}"
    if rule.low is not None and not value >= rule.low:
        return f"{value} is below {rule.low:g}"
    if rule.high is not None and not value <= rule.high:
        return f"{value} is above {rule.high:g}"
    return None


def _contradictions(config: NodeConfig) -> Iterable[str]:
    output, frames, cameras = config.output, config.frames, config.input.cameras
    if output.max_range and output.max_range <= output.min_range:
        yield f"output.max_range {output.max_range} is not beyond output.min_range"
    if config.motion.moves_on > config.motion.moves_from:
        yield f"motion.moves_on {config.motion.moves_on} is above motion.moves_from"
    if frames.map == frames.odom:
        yield f"frames.map and frames.odom are both '{frames.map}'"
    if not frames.map or not frames.odom:
        yield "frames.map and frames.odom must have names"
    if len(set(cameras)) != len(cameras) or not cameras:
        yield f"input.cameras must name each camera once, got {list(cameras)}"
    if len(cameras) > 1 and "" in cameras:
        yield "input.cameras: several cameras each need a name"
    if len(frames.base_from_camera) not in (1, 7):
        yield "frames.base_from_camera needs 7 numbers: x y z qx qy qz qw"
    if len(config.imu.camera_from_imu) not in (1, 7):
        yield "imu.camera_from_imu needs 7 numbers: x y z qx qy qz qw"
    yield from _no_rotations("imu.camera_from_imu", config.imu.camera_from_imu)
    try:
        config.imu.offset_s  # noqa: B018
    except ValueError:
        yield f"imu.time_offset '{config.imu.time_offset}' is neither auto nor a number of seconds"
    if config.grid.min_height >= config.grid.max_height:
        yield f"grid.max_height {config.grid.max_height} is not above grid.min_height"
    if config.input.scale_from == "height" and not (config.input.camera_height or frames.base):
        yield (
            "input.scale_from height needs the camera's height above the floor: give "
            "input.camera_height, or frames.base, whose origin lies on the floor"
        )
    if config.input.scale_from == "tf" and frames.tf_mode == "odom_and_map":
        yield (
            "input.scale_from tf reads frames.odom, which frames.tf_mode odom_and_map would "
            "publish itself: set frames.tf_mode to map_to_odom or none"
        )
    if len(cameras) > 1 and len(config.input.extrinsics) not in (1, 7 * (len(cameras) - 1)):
        yield f"input.extrinsics needs 7 numbers for each of {list(cameras[1:])}, or [0.0] for TF"
    if config.mapping.level == "base" and len(frames.base_from_camera) != 7:
        yield "mapping.level base needs frames.base_from_camera: 7 numbers, x y z qx qy qz qw"
    yield from _no_rotations("frames.base_from_camera", frames.base_from_camera)
    yield from _no_rotations("input.extrinsics", config.input.extrinsics)
    yield from _engine_problems(config.engine.name)
    if config.engine.name == "remote":
        yield from _remote_problems(config)


def _no_rotations(name: str, numbers: tuple[float, ...]) -> Iterable[str]:
    """A sentence for each x y z qx qy qz qw whose q is no unit quaternion."""
    for start in range(0, len(numbers) - 6, 7):
        length = math.hypot(*numbers[start + 3 : start + 7])
        if not abs(length - 1) < QUATERNION_ERROR:
            yield f"{name}: quaternion of length {length:.3g}, not 1, in {list(numbers)}"


def _engine_problems(name: str) -> Iterable[str]:
    if name in ENGINES:
        return
    module, colon, factory = name.partition(":")
    if not colon or not factory:
        yield f"engine.name '{name}' is none of {', '.join(ENGINES)} and not module:factory"
    elif not _importable(module):
        yield f"engine.name: no module '{module}' on this machine"


def _remote_problems(config: NodeConfig) -> Iterable[str]:
    try:
        remote_config(config.engine.address, config.engine.model, config.remote)
    except ValueError as error:
        yield str(error)


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
