# SPDX-License-Identifier: Apache-2.0
"""A camera to live geometry: finds the image topic, starts the node, opens RViz."""

from launch import LaunchDescription
from launch.actions import LogInfo, OpaqueFunction

from dens3r_ros.nodes.launching import arguments, dens3r_node, environment, find_camera, rviz_node

OWN = {
    "image": ("", "Image topic; when empty, the only camera that publishes."),
    "camera_info": ("", "Calibration topic; when empty, camera_info beside the image."),
    "find_timeout": ("10.0", "Seconds to look for a camera."),
    "use_sim_time": ("false", "Follow /clock: only with a simulator."),
}


def start(context):
    values = context.launch_configurations
    image, info = find_camera(values["image"], values["camera_info"], float(values["find_timeout"]))
    simulated = values["use_sim_time"].lower() == "true"
    node = dens3r_node(values, {"use_sim_time": simulated}, {"image": image, "camera_info": info})
    told = LogInfo(msg=f"images from {image}, calibration from {info} where it is published")
    return [told, node, *rviz_node(values, "live.rviz", simulated)]


def generate_launch_description():
    return LaunchDescription([*environment(), *arguments(OWN), OpaqueFunction(function=start)])
