# SPDX-License-Identifier: Apache-2.0
"""What the launch files share; `launch` exists only where ROS is installed, so is imported late."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dens3r_ros.nodes.middleware import tuned_environment
from dens3r_ros.resources import resource_dir

OTHERS_WITHIN_S = 1.5
"""For which to look for further cameras once one was found."""
PROFILES = ("default", "realtime", "quality", "cpu")
COMMON: dict[str, tuple[str, str]] = {
    "namespace": ("", "Namespace of the node and of its relative topics."),
    "profile": ("default", f"Parameter file of this package: {', '.join(PROFILES)}."),
    "params_file": ("", "A parameter file of your own, read after the profile's."),
    "engine": ("", "Overrides engine.name: auto, torch, onnx, geometric, module:factory."),
    "model": ("", "Overrides engine.model: a name or a path."),
    "device": ("", "Overrides engine.device: auto, cpu, cuda, ..."),
    "rviz": ("true", "Open RViz."),
    "log_level": ("info", "debug, info, warn, error."),
}
"""Arguments of every launch file: name to (default, description)."""


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

    tuned = tuned_environment(os.environ)
    return [
        SetEnvironmentVariable(name, value)
        for name, value in tuned.items()
        if os.environ.get(name) != value
    ]


def dens3r_node(
    values: Mapping[str, str], parameters: Mapping[str, Any], remappings: Mapping[str, str]
) -> Any:
    """The node, configured by profile, then file, then arguments."""
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
    )


def rviz_node(values: Mapping[str, str], file: str, use_sim_time: bool) -> list[Any]:
    """RViz with one of our configurations, where it is wanted."""
    if values["rviz"].lower() != "true":
        return []
    from launch_ros.actions import Node

    return [
        Node(
            package="rviz2",
            executable="rviz2",
            namespace=values["namespace"],
            arguments=["-d", str(resource_dir("rviz") / file)],
            parameters=[{"use_sim_time": use_sim_time}],
        )
    ]


def find_camera(image: str, info: str, seconds: float) -> tuple[str, str]:
    """(image, camera_info) topics: those given, else the only camera that publishes."""
    if not image:
        image = _only_one(_image_topics(seconds))
    return image, info or image.rsplit("/", 1)[0] + "/camera_info"


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


def _overrides(values: Mapping[str, str]) -> dict[str, str]:
    named = {"engine.name": "engine", "engine.model": "model", "engine.device": "device"}
    return {name: values[argument] for name, argument in named.items() if values[argument]}


def _only_one(topics: list[str]) -> str:
    if len(topics) == 1:
        return topics[0]
    if not topics:
        raise RuntimeError(
            "no image topic found: start the camera driver first, or name its topic, image:=..."
        )
    raise RuntimeError(
        "several cameras publish; choose one: " + " ".join(f"image:={t}" for t in topics)
    )


def _image_topics(seconds: float) -> list[str]:
    """Raw image topics that somebody publishes, found within `seconds`."""
    import rclpy

    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    node = rclpy.create_node("dens3r_find_camera", context=context)
    end = time.monotonic() + seconds
    found: list[str] = []
    while time.monotonic() < end:
        time.sleep(0.2)
        first = not found
        found = sorted(
            name
            for name, types in node.get_topic_names_and_types()
            if "sensor_msgs/msg/Image" in types and node.count_publishers(name)
        )
        if found and first:
            end = min(end, time.monotonic() + OTHERS_WITHIN_S)
    node.destroy_node()
    rclpy.shutdown(context=context)
    return found
