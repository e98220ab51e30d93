# SPDX-License-Identifier: Apache-2.0
"""The geometry of one camera's frames, published to whoever listens."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.curvature import normal_variation
from dens3r_ros.mapping.update import Update
from dens3r_ros.nodes.messages.packing import (
    CloudPacker,
    PointAttributes,
    camera_info_message,
    image_message,
)
from dens3r_ros.nodes.messages.qos import MAPS_OUT
from dens3r_ros.nodes.outputs.visible import Visible, motion_picture, normal_colours, visible_maps
from dens3r_ros.nodes.settings.config import OutputParameters
from dens3r_ros.nodes.settings.motion import MotionParameters

TOPICS = {
    "depth/image": Image,
    "depth/camera_info": CameraInfo,
    "confidence": Image,
    "motion": Image,
    "normals": Image,
    "normals/color": Image,
    "points": PointCloud2,
}

WITH_LENGTHS = {"depth/image", "depth/camera_info", "points"}


class CameraOutputs:
    """Publishers of one camera; maps that nobody reads are not computed."""

    def __init__(self, node: Node, camera: str, motion: MotionParameters) -> None:
        self._node = node
        self._marked = motion.enabled and motion.points == "marked"
        prefix = f"~/{camera}/" if camera else "~/"
        self._publishers: dict[str, Publisher] = {
            topic: node.create_publisher(kind, prefix + topic, MAPS_OUT)
            for topic, kind in TOPICS.items()
        }
        self._packer = CloudPacker()

    def wanted(self) -> set[str]:
        """Topics that somebody subscribes to."""
        return {t for t, p in self._publishers.items() if p.get_subscription_count()}

    def publish(
        self,
        frame: Frame,
        update: Update,
        header: Header,
        output: OutputParameters,
        lengths: bool,
    ) -> None:
        """Publish a tracked frame's maps, small messages first; with `lengths` or without."""
        wanted = self.wanted() - (set() if lengths else WITH_LENGTHS)
        maps = visible_maps(frame, update, output) if wanted else None
        if maps is None:
            return
        for topic in TOPICS:
            if topic in wanted:
                message = self._message(topic, maps, header, output)
                if message is not None:
                    self._publishers[topic].publish(message)

    def destroy(self) -> None:
        """Withdraw the topics."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)

    def _message(
        self, topic: str, maps: Visible, header: Header, output: OutputParameters
    ) -> Image | CameraInfo | PointCloud2 | None:
        if topic == "depth/image":
            return image_message(maps.depth, "32FC1", header)
        if topic == "depth/camera_info":
            return maps.intrinsics and camera_info_message(maps.intrinsics, header)
        if topic == "confidence":
            return image_message(maps.confidence, "32FC1", header)
        if topic == "motion":
            told = maps.motion
            return None if told is None else image_message(motion_picture(told), "mono8", header)
        if topic == "normals":
            return image_message(maps.normals, "32FC3", header)
        if topic == "normals/color":
            return image_message(normal_colours(maps.normals), "rgb8", header)
        return self._cloud(maps, header, output)

    def _cloud(self, maps: Visible, header: Header, output: OutputParameters) -> PointCloud2:
        surface = None
        if output.point_normals:
            curvature = normal_variation(maps.normals)
            surface = PointAttributes(maps.normals, curvature, maps.confidence)
        if self._marked:
            motion = _known(maps.motion, maps.depth.shape)
            return self._packer.organised(maps.points, maps.colours, header, surface, motion)
        return self._packer.organised(maps.standing, maps.colours, header, surface)


def _known(motion: np.ndarray | None, size: tuple[int, ...]) -> np.ndarray:
    """(h, w) motion; 0 where nothing is told, so that clouds are alike from the first on."""
    return np.zeros(size, np.float32) if motion is None else motion
