# SPDX-License-Identifier: Apache-2.0
"""A bag through the node: played with its clock, or stepped through so that no frame is lost."""

from launch import LaunchDescription
from launch.actions import EmitEvent, ExecuteProcess, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown

from dens3r_ros.nodes.launching import arguments, dens3r_node, environment, rviz_node

OWN = {
    "bag": ("", "Folder or file of the bag."),
    "image": ("image", "Image topic in the bag."),
    "camera_info": ("camera_info", "Calibration topic in the bag."),
    "exact": ("false", "Step through the bag so that every frame is processed, however slow."),
    "rate": ("1.0", "Speed of playing; not with exact."),
    "save_map": ("", "File to save the map to at the end; with exact."),
}


def start(context):
    values = context.launch_configurations
    if not values["bag"]:
        raise RuntimeError("replay needs a bag: bag:=FOLDER")
    exact = values["exact"].lower() == "true"
    topics = {"image": values["image"], "camera_info": values["camera_info"]}
    parameters = {"use_sim_time": not exact}
    if exact:
        parameters |= {"input.policy": "every", "input.qos": "reliable"}
    player = stepper(values) if exact else bag_player(values)
    return [
        dens3r_node(values, parameters, topics),
        player,
        *rviz_node(values, "replay.rviz", not exact),
        RegisterEventHandler(
            OnProcessExit(
                target_action=player,
                on_exit=[EmitEvent(event=Shutdown(reason="the bag has ended"))],
            )
        ),
    ]


def bag_player(values):
    command = ["ros2", "bag", "play", values["bag"], "--clock", "--rate", values["rate"]]
    return ExecuteProcess(cmd=command, output="screen")


def stepper(values):
    from launch_ros.actions import Node

    return Node(
        package="dens3r_ros",
        executable="dens3r_bag_stepper",
        namespace=values["namespace"],
        parameters=[
            {
                "bag": values["bag"],
                "image": values["image"],
                "camera_info": values["camera_info"],
                "save_map": values["save_map"],
            }
        ],
        output="screen",
    )


def generate_launch_description():
    return LaunchDescription([*environment(), *arguments(OWN), OpaqueFunction(function=start)])
