# SPDX-License-Identifier: Apache-2.0
"""The shipped walk, or your own images, through a simulated camera and the node."""

from launch import LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import Node

from dens3r_ros.nodes.starting.launching import (
    arguments,
    dens3r_node,
    ended,
    environment,
    number,
    rviz_node,
    truth,
)
from dens3r_ros.resources import resource_dir

OWN = {
    "profile": ("cpu", "Parameter file of this package: default, realtime, quality, cpu."),
    "source": ("", "Video, folder of images or TUM sequence; the shipped walk when empty."),
    "rate": ("30.0", "Images a second."),
    "loop": ("true", "Begin again at the end."),
}


def start(context):
    values = dict(context.launch_configurations)
    camera = Node(
        package="dens3r_ros",
        executable="dens3r_simulated_camera",
        name="simulated_camera",
        namespace=values["namespace"],
        parameters=[
            {
                "source": values["source"] or str(resource_dir("config") / "demo" / "walk.mp4"),
                "rate": number(values, "rate"),
                "loop": truth(values, "loop"),
            }
        ],
        output="screen",
        on_exit=ended("the simulated camera", stay=True),
    )
    return [camera, dens3r_node(values, {}, {}), *rviz_node(values, "live.rviz", False)]


def generate_launch_description():
    return LaunchDescription([*environment(), *arguments(OWN), OpaqueFunction(function=start)])
