# SPDX-License-Identifier: Apache-2.0
"""The scene as a bag (MCAP) with the node's topics and TF, by rosbags: no ROS is needed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dens3r_ros.mapping.update import TimedPose
from dens3r_ros.reconstruction.outputs.bag_messages import Messages
from dens3r_ros.reconstruction.outputs.cloud import read_cloud
from dens3r_ros.reconstruction.outputs.scene import Scene, SceneKeyframe

_MOST_POINTS = 500_000
"""Of the cloud, of which larger ones are thinned evenly: viewers take it as one message."""


class _Bag:
    """Writes messages, each topic opened with its first one."""

    def __init__(self, folder: Path) -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer
        from rosbags.typesys import Stores, get_typestore

        self.types = get_typestore(Stores.ROS2_HUMBLE)
        self._writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        self._topics: dict[str, Any] = {}
        self.count = 0

    def write(self, topic: str, stamp: int, message: Any) -> None:
        kind = message.__msgtype__
        if topic not in self._topics:
            self._topics[topic] = self._writer.add_connection(topic, kind, typestore=self.types)
        self._writer.write(self._topics[topic], stamp, self.types.serialize_cdr(message, kind))
        self.count += 1

    def close(self) -> None:
        self._writer.close()


def write_bag(folder: Path, scene: Scene, cloud: Path, progress: Callable[[int, int], None]) -> int:
    """Write poses and TF of every frame, images, depth and points of every keyframe, and in the
    end cloud and path; how many messages. A bag that is there is replaced."""
    if folder.exists():
        shutil.rmtree(folder)
    bag = _Bag(folder)
    try:
        make = Messages(bag.types)
        first = scene.trajectory[0].stamp
        bag.write("/tf_static", first, make.transforms(first, "map", {"odom": np.eye(4)}))
        keyframes = {(k.stamp, k.camera): k for k in scene.keyframes}
        for number, pose in enumerate(scene.trajectory):
            for topic, message in _of_frame(make, pose):
                bag.write(topic, pose.stamp, message)
            keyframe = keyframes.get((pose.stamp, pose.camera))
            if keyframe is not None:
                for topic, message in _of_keyframe(make, keyframe, scene.least_confidence):
                    bag.write(topic, pose.stamp, message)
            progress(number + 1, len(scene.trajectory))
        last = scene.trajectory[-1].stamp
        for topic, message in _of_map(make, scene, cloud, last):
            bag.write(topic, last, message)
    finally:
        bag.close()
    return bag.count


def _of_frame(make: Messages, pose: TimedPose) -> Iterator[tuple[str, Any]]:
    stamp, T, camera = pose.stamp, pose.T_map_camera, pose.camera
    yield "/tf", make.transforms(stamp, "odom", {camera: T})
    yield "/dens3r/odometry", make.odometry(stamp, T, camera)
    yield "/dens3r/pose", make.pose(stamp, T)


def _of_keyframe(
    make: Messages, keyframe: SceneKeyframe, least: float
) -> Iterator[tuple[str, Any]]:
    stamp, camera = keyframe.stamp, keyframe.camera
    view = keyframe.read()
    good = view.good(least, view.normals())
    depth = np.where(good, view.depth, np.nan).astype(np.float32)
    yield "/image/compressed", make.jpeg(stamp, camera, keyframe.image.read_bytes())
    yield "/camera_info", make.camera_info(stamp, camera, keyframe.intrinsics)
    yield "/dens3r/depth/image", make.depth(stamp, camera, depth)
    yield "/dens3r/depth/camera_info", make.camera_info(stamp, camera, view.camera)
    yield "/dens3r/points", make.cloud(stamp, camera, view.points[good], view.colours[good])


def _of_map(make: Messages, scene: Scene, cloud: Path, stamp: int) -> Iterator[tuple[str, Any]]:
    rows = read_cloud(cloud)
    some = rows[:: max(1, -(-len(rows) // _MOST_POINTS))]
    yield "/dens3r/map_points", make.cloud(stamp, "map", some["xyz"], some["rgb"])
    poses = [(pose.stamp, pose.T_map_camera) for pose in scene.trajectory]
    yield "/dens3r/path", make.path(stamp, poses)
