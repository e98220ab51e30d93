# SPDX-License-Identifier: Apache-2.0
"""The map as a whole: cloud, path and keyframes, latched, at a bounded rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from geometry_msgs.msg import Point, PoseStamped
from nav_msgs.msg import Path
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import Marker, MarkerArray

from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import KeyframeView, TimedPose
from dens3r_ros.nodes.inputs.scale import lengthened
from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.messages.packing import header_at, point_list_message
from dens3r_ros.nodes.messages.poses import pose_message
from dens3r_ros.nodes.messages.qos import LATCHED
from dens3r_ros.nodes.outputs.map_cloud import MapCloud
from dens3r_ros.nodes.settings.config import NodeConfig

_FRUSTUM = np.array([[0, 0, 0], [-1, -0.75, 1.5], [1, -0.75, 1.5], [1, 0.75, 1.5], [-1, 0.75, 1.5]])
_FRUSTUM_LINES = [(0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (2, 3), (3, 4), (4, 1)]
_FRUSTUM_SIZE = 0.06


class MapOutputs:
    """Publishes what belongs to no single frame."""

    def __init__(self, node: Node, config: NodeConfig) -> None:
        self._node = node
        self._map_frame = config.frames.map
        self._path_poses = config.output.path_poses
        self._cloud = MapCloud()
        self.point_count = 0
        self._points = node.create_publisher(PointCloud2, "~/map_points", LATCHED)
        self._path = node.create_publisher(Path, "~/path", LATCHED)
        self._markers = node.create_publisher(MarkerArray, "~/keyframe_markers", LATCHED)
        self._keyframes = None
        if interfaces.messages is not None:
            self._keyframes = node.create_publisher(
                interfaces.messages.Keyframes, "~/keyframes", LATCHED
            )

    def wanted(self) -> bool:
        """Whether anybody listens to any of it."""
        publishers = (self._points, self._path, self._markers, self._keyframes)
        return any(p is not None and p.get_subscription_count() for p in publishers)

    def publish(
        self, mapper: Mapper, stamp: int, epoch: int, config: NodeConfig, scale: float
    ) -> None:
        """Publish the map as it stands at a stamp in nanoseconds, in the mapper's unit x scale."""
        keyframes = mapper.keyframes()
        header = header_at(stamp, self._map_frame)
        if self._points.get_subscription_count():
            output = config.output
            points, colours = self._cloud.update(
                keyframes, output.map_voxel, output.min_confidence, scale
            )
            self.point_count = len(points)
            self._points.publish(point_list_message(points, colours, header))
        keyframes = [replace(k, T_map_camera=lengthened(k.T_map_camera, scale)) for k in keyframes]
        if self._path.get_subscription_count():
            self._path.publish(self._path_message(mapper.trajectory(), stamp, scale))
        if self._markers.get_subscription_count():
            self._markers.publish(self._marker_message(keyframes, stamp))
        if self._keyframes is not None and self._keyframes.get_subscription_count():
            self._keyframes.publish(self._keyframe_message(keyframes, stamp, epoch))

    def destroy(self) -> None:
        """Withdraw the topics."""
        for publisher in (self._points, self._path, self._markers, self._keyframes):
            if publisher is not None:
                self._node.destroy_publisher(publisher)

    def _path_message(self, trajectory: Sequence[TimedPose], stamp: int, scale: float) -> Path:
        thinning = -(-len(trajectory) // self._path_poses) or 1
        message = Path(header=header_at(stamp, self._map_frame))
        message.poses = [
            PoseStamped(
                header=header_at(pose.stamp, self._map_frame),
                pose=pose_message(lengthened(pose.T_map_camera, scale)),
            )
            for pose in trajectory[::thinning]
        ]
        return message

    def _marker_message(self, keyframes: Sequence[KeyframeView], stamp: int) -> MarkerArray:
        frusta = self._line_list("keyframes", 0, stamp, (0.1, 0.8, 0.3))
        links = self._line_list("loops", 1, stamp, (0.9, 0.2, 0.2))
        centres = {k.id: k.T_map_camera[:3, 3] for k in keyframes}
        for keyframe in keyframes:
            frusta.points += _frustum(keyframe.T_map_camera)
            for partner in keyframe.loop_partners:
                if partner in centres:
                    links.points += [_point(centres[keyframe.id]), _point(centres[partner])]
        for marker in (frusta, links):
            # RViz calls a list without points an error.
            marker.action = Marker.ADD if marker.points else Marker.DELETE
        return MarkerArray(markers=[frusta, links])

    def _line_list(
        self, name: str, id: int, stamp: int, colour: tuple[float, float, float]
    ) -> Marker:
        marker = Marker(header=header_at(stamp, self._map_frame), ns=name, id=id)
        marker.type = Marker.LINE_LIST
        marker.pose.orientation.w = 1.0
        marker.scale.x = 0.01
        marker.color.r, marker.color.g, marker.color.b = colour
        marker.color.a = 1.0
        return marker

    def _keyframe_message(
        self, keyframes: Sequence[KeyframeView], stamp: int, epoch: int
    ) -> object:
        message = interfaces.messages.Keyframes(header=header_at(stamp, self._map_frame))
        message.epoch = epoch
        message.keyframes = [_keyframe(k) for k in keyframes]
        return message


def _keyframe(view: KeyframeView) -> object:
    message = interfaces.messages.Keyframe(id=view.id, revision=view.revision, camera=view.camera)
    message.stamp = header_at(view.stamp, "").stamp
    message.pose = pose_message(view.T_map_camera)
    camera = view.intrinsics
    message.width, message.height = camera.width, camera.height
    message.fx, message.fy, message.cx, message.cy = camera.fx, camera.fy, camera.cx, camera.cy
    message.mean_confidence = float(np.mean(view.confidence))
    message.in_window = view.in_window
    message.loop_partners = list(view.loop_partners)
    return message


def _frustum(T_map_camera: np.ndarray) -> list[Point]:
    corners = _FRUSTUM * _FRUSTUM_SIZE @ T_map_camera[:3, :3].T + T_map_camera[:3, 3]
    return [_point(corners[i]) for line in _FRUSTUM_LINES for i in line]


def _point(xyz: np.ndarray) -> Point:
    x, y, z = xyz.tolist()
    return Point(x=x, y=y, z=z)
