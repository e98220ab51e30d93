# SPDX-License-Identifier: Apache-2.0
"""A camera to live geometry: finds the image topic, starts the node, opens RViz."""

from launch import LaunchDescription
from launch.actions import LogInfo, OpaqueFunction

from dens3r_ros.nodes.starting.camera_search import CameraSearch
from dens3r_ros.nodes.starting.launching import (
    ROBOT,
    arguments,
    camera_topics,
    dens3r_node,
    environment,
    named_cameras,
    number,
    rviz_node,
    truth,
)

OWN = {
    "image": ("", "Image topic, .../compressed too; when empty, the only camera that publishes."),
    "camera_info": ("", "Calibration topic; when empty, camera_info beside the image."),
    "find_timeout": ("0.0", "Seconds to look for a camera; 0 is until one publishes."),
    "use_sim_time": ("false", "Follow /clock: only with a simulator."),
}


def start(context):
    values = dict(context.launch_configurations)
    if values["image"]:
        return with_image(values, values["image"])
    cameras = named_cameras(values)
    if cameras:
        told = LogInfo(msg="images from " + ", ".join(f"{name}/image" for name in cameras))
        return [told, *node_and_view(values, {}, {})]
    return CameraSearch(number(values, "find_timeout"), lambda t: with_image(values, t)).begin()


def with_image(values, image):
    topics, parameters = camera_topics(image, values["camera_info"])
    told = f"images from {image}, calibration from {topics['camera_info']} where it is published"
    return [LogInfo(msg=told), *node_and_view(values, parameters, topics)]


def node_and_view(values, parameters, topics):
    simulated = truth(values, "use_sim_time")
    view = rviz_node(values, "live.rviz", simulated)
    topics = {**topics, "odometry": values["odometry"], "imu": values["imu"]}
    return [dens3r_node(values, {"use_sim_time": simulated, **parameters}, topics), *view]


def generate_launch_description():
    return LaunchDescription(
        [*environment(), *arguments({**ROBOT, **OWN}), OpaqueFunction(function=start)]
    )
