# SPDX-License-Identifier: Apache-2.0
"""A bag through the node: played with its clock, or stepped through so that no frame is lost."""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import ExecuteProcess, OpaqueFunction

from dens3r_ros.nodes.bags.stepper import map_file
from dens3r_ros.nodes.starting.camera_search import once_subscribed
from dens3r_ros.nodes.starting.launching import (
    ROBOT,
    arguments,
    camera_topics,
    dens3r_node,
    ended,
    environment,
    number,
    rviz_node,
    truth,
)

OWN = {
    "bag": ("", "Folder or file of the bag."),
    "image": ("/image", "Image topic in the bag, .../compressed too."),
    "camera_info": ("", "Calibration topic in the bag; when empty, camera_info beside the image."),
    "exact": ("false", "Step through the bag so that every frame is processed, however slow."),
    "rate": ("1.0", "Speed of playing; not with exact."),
    "save_map": ("", "File to save the map to at the end, relative to map.directory; with exact."),
}


def start(context):
    values = dict(context.launch_configurations)
    exact = truth(values, "exact")
    check(values, exact)
    topics, parameters = camera_topics(absolute(values["image"]), absolute(values["camera_info"]))
    topics["odometry"] = absolute(values["odometry"])
    topics["imu"] = absolute(values["imu"])
    parameters = {"use_sim_time": not exact, **parameters}
    if exact:
        parameters |= {"input.policy": "every", "input.qos": "reliable"}
        # Whoever starts the replay says where its map goes.
        parameters["map.allow_anywhere"] = True
    player = stepper(values, topics["camera_info"]) if exact else bag_player(values)
    view = rviz_node(values, "replay.rviz", not exact)
    if not exact:
        # Loading takes the node seconds, in which a bag goes on.
        player = once_subscribed(absolute(values["image"]), [player])
    return [dens3r_node(values, parameters, topics), player, *view]


def check(values, exact):
    if not values["bag"]:
        raise RuntimeError("replay needs a bag: bag:=FOLDER")
    if not Path(values["bag"]).expanduser().exists():
        raise RuntimeError(f"bag:={values['bag']} does not exist")
    map_file(values["save_map"])
    if values["save_map"] and not exact:
        raise RuntimeError("save_map:= needs exact:=true, which knows when all frames are done")


def absolute(topic):
    """Bags hold absolute names, whatever the namespace of the node is."""
    return topic and "/" + topic.lstrip("/")


def bag_player(values):
    bag = str(Path(values["bag"]).expanduser())
    rate = str(number(values, "rate"))
    command = ["ros2", "bag", "play", bag, "--clock", "--rate", rate]
    return ExecuteProcess(cmd=command, output="screen", on_exit=ended("playing the bag"))


def stepper(values, camera_info):
    from launch_ros.actions import Node

    return Node(
        package="dens3r_ros",
        executable="dens3r_bag_stepper",
        namespace=values["namespace"],
        parameters=[
            {
                "bag": values["bag"],
                "image": absolute(values["image"]),
                "camera_info": camera_info,
                "save_map": values["save_map"],
            }
        ],
        output="screen",
        on_exit=ended("stepping through the bag"),
    )


def generate_launch_description():
    return LaunchDescription(
        [*environment(), *arguments({**ROBOT, **OWN}), OpaqueFunction(function=start)]
    )
