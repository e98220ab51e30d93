# SPDX-License-Identifier: Apache-2.0
"""What the launch files share; `launch` exists only where ROS is installed, so is imported late."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dens3r_ros.nodes.starting.camera_search import COMPRESSED, raw_name
from dens3r_ros.nodes.starting.middleware import tuned_environment
from dens3r_ros.resources import resource_dir

PROFILES = ("default", "realtime", "quality", "cpu", "robot")
COMMON: dict[str, tuple[str, str]] = {
    "namespace": ("", "Namespace of the node and of its relative topics."),
    "profile": ("default", f"Parameter file of this package: {', '.join(PROFILES)}."),
    "params_file": ("", "A parameter file of your own, read after the profile's."),
    "engine": ("", "Overrides engine.name: auto, torch, onnx, geometric, hybrid, module:factory."),
    "model": ("", "Overrides engine.model: a name or a path."),
    "device": ("", "Overrides engine.device: auto, cpu, cuda, ..."),
    "size": ("", "Overrides engine.size: long side of images that the network sees, pixels."),
    "rviz": ("true", "Open RViz."),
    "log_level": ("info", "debug, info, warn, error."),
}
"""Arguments of every launch file: name to (default, description)."""
ROBOT: dict[str, tuple[str, str]] = {
    "base": ("", "Overrides frames.base: the body frame, for a camera that is part of a robot."),
    "tf_mode": ("", "Overrides frames.tf_mode: odom_and_map, map_to_odom, none."),
    "scale_from": ("", "Overrides input.scale_from: none, odometry, tf, height, imu, auto."),
    "odometry": ("", "Topic of the robot's odometry, for scale_from:=odometry."),
    "imu": ("", "Topic of the inertial sensor, for scale_from:=imu."),
    "prefix": ("", "Overrides frames.prefix, put before map, odom and base: robot1/."),
}
"""Arguments of the launch files that may run on a robot."""


def arguments(own: Mapping[str, tuple[str, str]]) -> list[Any]:
    """Declarations of the common arguments and a launch file's own."""
    from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction

    known = {**COMMON, **own}

    def doubts(context: Any) -> list[Any]:
        return [LogInfo(msg=text) for text in misspelt(context.launch_configurations, known)]

    return [
        *(
            DeclareLaunchArgument(name, default_value=default, description=description)
            for name, (default, description) in known.items()
        ),
        OpaqueFunction(function=doubts),
    ]


def misspelt(given: Iterable[str], known: Iterable[str]) -> list[str]:
    """A sentence for each argument that is none of ours but looks like one; launch takes any."""
    names = list(known)
    unknown = {name: difflib.get_close_matches(name, names, n=1) for name in set(given) - {*names}}
    return [
        f"there is no argument '{name}'; did you mean '{close[0]}'?"
        for name, close in sorted(unknown.items())
        if close
    ]


def environment() -> list[Any]:
    """Settings without which large messages are lost."""
    from launch.actions import SetEnvironmentVariable

    added = launched_environment(os.environ)
    return [SetEnvironmentVariable(name, value) for name, value in added.items()]


def launched_environment(own: Mapping[str, str]) -> dict[str, str]:
    """What launch adds to its own environment for all that it starts."""
    tuned = tuned_environment(own)
    return {name: value for name, value in tuned.items() if own.get(name) != value}


def dens3r_node(
    values: Mapping[str, str], parameters: Mapping[str, Any], remappings: Mapping[str, str]
) -> Any:
    """The node, configured by profile, then file, then arguments; all ends with it."""
    from launch_ros.actions import Node

    return Node(
        package="dens3r_ros",
        executable="dens3r_node",
        name="dens3r",
        namespace=values["namespace"],
        parameters=[*_parameter_files(values), {**_overrides(values), **parameters}],
        remappings=[(a, b) for a, b in remappings.items() if b],
        arguments=["--ros-args", "--log-level", values["log_level"]],
        output="screen",
        emulate_tty=True,
        on_exit=ended("the node"),
    )


def ended(what: str, stay: bool = False) -> Any:
    """For `on_exit`: ends the launch, as a failure where the process failed.

    `stay`: what else runs goes on where it did not fail.
    """
    from launch.actions import Shutdown

    def on_exit(event: Any, context: Any) -> Any:
        if context.is_shutdown:
            return None
        if event.returncode:
            raise RuntimeError(f"{what} failed; its own message above says why")
        return None if stay else Shutdown(reason=f"{what} has ended")

    return on_exit


def rviz_node(values: Mapping[str, str], file: str, use_sim_time: bool) -> list[Any]:
    """RViz with one of our configurations, where it is wanted and can be had."""
    if not truth(values, "rviz"):
        return []
    from launch.actions import LogInfo
    from launch_ros.actions import Node

    missing = _rviz_missing()
    if missing:
        return [LogInfo(msg=f"RViz is not opened: {missing}; rviz:=false spares this line")]
    prefix = values.get("prefix")
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            namespace=values["namespace"],
            arguments=[
                *("-d", str(resource_dir("rviz") / file)),
                *(("-f", f"{prefix}map") if prefix else ()),
            ],
            parameters=[{"use_sim_time": use_sim_time}],
        )
    ]


def camera_topics(image: str, info: str) -> tuple[dict[str, str], dict[str, str]]:
    """(remappings, parameters) that make the node hear an image topic, raw or compressed."""
    raw = raw_name(image)
    beside = "/".join([*raw.split("/")[:-1], "camera_info"])
    remappings = {
        "image": raw,
        f"image{COMPRESSED}": f"{raw}{COMPRESSED}",
        "camera_info": info or beside,
    }
    return remappings, {} if raw == image else {"input.transport": "compressed"}


def named_cameras(values: Mapping[str, str]) -> list[str]:
    """Several cameras, where a parameter file names them: their topics need no finding."""
    import yaml

    named: list[str] = []
    for file in _parameter_files(values):
        for node in (yaml.safe_load(Path(file).read_text()) or {}).values():
            given = node.get("ros__parameters", {})
            of_input = given.get("input", {}).get("cameras", named)
            named = given.get("input.cameras", of_input)
    return [name for name in named if name]


def truth(values: Mapping[str, str], name: str) -> bool:
    """An argument that is true or false."""
    given = values[name].lower()
    if given not in ("true", "false"):
        raise RuntimeError(f"{name}:={values[name]} is neither true nor false")
    return given == "true"


def number(values: Mapping[str, str], name: str) -> float:
    """An argument that is a number."""
    try:
        return float(values[name])
    except ValueError:
        raise RuntimeError(f"{name}:={values[name]} is no number") from None


def _parameter_files(values: Mapping[str, str]) -> list[str]:
    if values["profile"] not in PROFILES:
        raise RuntimeError(f"profile:={values['profile']} is none of {', '.join(PROFILES)}")
    files = [resource_dir("config") / f"{values['profile']}.yaml"]
    if values["params_file"]:
        files.append(Path(values["params_file"]).expanduser())
    for file in files:
        if not file.is_file():
            raise RuntimeError(f"params_file {file} does not exist")
    return [str(file) for file in files]


def _rviz_missing() -> str:
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError:
        return "the package rviz2 is not installed"
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return "" if shown else "there is no screen (DISPLAY is not set)"


_OVERRIDES = {
    "engine.name": "engine",
    "engine.model": "model",
    "engine.device": "device",
    "frames.base": "base",
    "frames.tf_mode": "tf_mode",
    "frames.prefix": "prefix",
    "input.scale_from": "scale_from",
}


def _overrides(values: Mapping[str, str]) -> dict[str, str | int]:
    size = {"engine.size": int(number(values, "size"))} if values.get("size") else {}
    return {
        **{name: values[given] for name, given in _OVERRIDES.items() if values.get(given)},
        **size,
    }
