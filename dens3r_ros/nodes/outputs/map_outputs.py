# SPDX-License-Identifier: Apache-2.0
"""The map as a whole: cloud, path and keyframes, latched, at a bounded rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

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
from dens3r_ros.nodes.outputs.latched_topics import GridTopic, LatchedTopic
from dens3r_ros.nodes.outputs.map_cloud import MapCloud, median_depth
from dens3r_ros.nodes.outputs.occupancy import Occupancy, grid_config
from dens3r_ros.nodes.outputs.outlet import Outlet
from dens3r_ros.nodes.settings.config import NodeConfig, OutputParameters

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
        self._depth: tuple[int, float] | None = None
        """An epoch, and how far away its first keyframe's points are."""
        self.point_count = 0
        self._points = LatchedTopic(node, PointCloud2, "~/map_points")
        self._path = LatchedTopic(node, Path, "~/path")
        self._markers = LatchedTopic(node, MarkerArray, "~/keyframe_markers")
        self._grid = GridTopic(node, "~/occupancy")
        self._topics = [self._points, self._path, self._markers, self._grid]
        self.occupancy = Occupancy()
        self.camera_height: float | None = None
        """Metres of the first camera above the floor, where it is known how it is mounted."""
        self.level = np.eye(4)
        """T_level_map, by which all is turned."""
        self._keyframes = None
        if interfaces.messages is not None:
            self._keyframes = LatchedTopic(node, interfaces.messages.Keyframes, "~/keyframes")
            self._topics.append(self._keyframes)

    def wanted(self, touched: bool) -> bool:
        """Whether anybody listens to a map that may have changed, or has come since the last."""
        came = [topic.has_newcomers() for topic in self._topics]
        listened = any(topic.publisher.get_subscription_count() for topic in self._topics)
        return any(came) or (touched and listened)

    def publish(
        self,
        mapper: Mapper,
        stamp: int,
        epoch: int,
        config: NodeConfig,
        scale: float,
        metric: bool,
        outlet: Outlet,
    ) -> None:
        """Publish what has changed of the map as it stands at a stamp in nanoseconds, in the
        mapper's unit x scale, which makes metres if `metric`: of pieces that nothing ties together
        yet the one that the camera is in."""
        piece = mapper.piece
        own = [k for k in mapper.keyframes() if piece is None or k.piece == piece]
        views = [replace(k, T_map_camera=self.level @ k.T_map_camera) for k in own]
        around = {k.id for k in views}
        shown = [replace(k, T_map_camera=lengthened(k.T_map_camera, scale)) for k in views]
        output = config.output
        voxel = output.map_voxel if metric else self._share(output, views, epoch)
        limits = (voxel, output.min_confidence, scale)
        points = (epoch, [(k.id, k.revision) for k in views], limits)
        ties = (points, [(k.in_window, k.loop_partners) for k in views])
        self._points.show(points, lambda: self._cloud_message(views, stamp, limits), outlet)
        if self._path.publisher.get_subscription_count():
            poses = self._thinned([p for p in mapper.trajectory() if p.keyframe_id in around])
            way = (epoch, scale, [(p.stamp, p.T_map_camera.tobytes()) for p in poses])
            self._path.show(way, lambda: self._path_message(poses, stamp, scale), outlet)
        if metric:
            self._show_grid(views, stamp, epoch, config, scale, outlet)
        self._markers.show(ties, lambda: self._marker_message(shown, stamp), outlet)
        if self._keyframes is not None:
            self._keyframes.show(ties, lambda: self._keyframe_message(shown, stamp, epoch), outlet)

    def _show_grid(
        self,
        views: Sequence[KeyframeView],
        stamp: int,
        epoch: int,
        config: NodeConfig,
        scale: float,
        outlet: Outlet,
    ) -> None:
        least, height = config.output.min_confidence, self.camera_height
        grid = grid_config(config.grid)
        drawn = (epoch, scale, [(k.id, k.revision) for k in views], least, height)
        draw = partial(self.occupancy.plan, views, scale, least, height, grid, epoch)
        self._grid.show_plan(drawn, draw, header_at(stamp, self._map_frame), outlet)
        if self.occupancy.missing:
            self._node.get_logger().warning(
                f"~/occupancy: {self.occupancy.missing}", throttle_duration_sec=30.0
            )

    def destroy(self) -> None:
        """Withdraw the topics."""
        for topic in self._topics:
            topic.destroy(self._node)

    def _share(
        self, output: OutputParameters, keyframes: Sequence[KeyframeView], epoch: int
    ) -> float:
        """Side of the voxels where lengths are in a unit of the map's own."""
        if keyframes and (self._depth is None or self._depth[0] != epoch):
            self._depth = epoch, median_depth(keyframes[0], output.min_confidence)
        return output.map_voxel * (self._depth[1] if self._depth else 1.0)

    def _cloud_message(
        self, keyframes: Sequence[KeyframeView], stamp: int, limits: tuple[float, float, float]
    ) -> PointCloud2:
        points, colours = self._cloud.update(keyframes, *limits)
        self.point_count = len(points)
        return point_list_message(points, colours, header_at(stamp, self._map_frame))

    def _thinned(self, trajectory: Sequence[TimedPose]) -> Sequence[TimedPose]:
        return trajectory[:: -(-len(trajectory) // self._path_poses) or 1]

    def _path_message(self, poses: Sequence[TimedPose], stamp: int, scale: float) -> Path:
        message = Path(header=header_at(stamp, self._map_frame))
        message.poses = [
            PoseStamped(
                header=header_at(pose.stamp, self._map_frame),
                pose=pose_message(lengthened(self.level @ pose.T_map_camera, scale)),
            )
            for pose in poses
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
