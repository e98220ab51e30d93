# SPDX-License-Identifier: Apache-2.0
"""The geometry of one camera's frames, published to whoever listens."""

from __future__ import annotations

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
from dens3r_ros.nodes.outputs.visible import Visible, normal_colours, visible_maps
from dens3r_ros.nodes.settings.config import OutputParameters

TOPICS = {
    "depth/image": Image,
    "depth/camera_info": CameraInfo,
    "confidence": Image,
    "normals": Image,
    "normals/color": Image,
    "points": PointCloud2,
}


class CameraOutputs:
    """Publishers of one camera; maps that nobody reads are not computed."""

    def __init__(self, node: Node, camera: str) -> None:
        self._node = node
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
        self, frame: Frame, update: Update, header: Header, output: OutputParameters
    ) -> None:
        """Publish a tracked frame's maps, small messages first."""
        wanted = self.wanted()
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
        return self._packer.organised(maps.points, maps.colours, header, surface)
