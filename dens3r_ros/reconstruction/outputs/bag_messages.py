# SPDX-License-Identifier: Apache-2.0
"""ROS messages made without ROS, by rosbags' types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.camera import Intrinsics

_FLOAT32 = 7
"""Of sensor_msgs/PointField."""


class Messages:
    """Makes messages; stamps in nanoseconds, poses (4, 4) of a child in its parent."""

    def __init__(self, types: Any) -> None:
        self._types = types.types

    def _make(self, kind: str, *values: Any) -> Any:
        return self._types[kind](*values)

    def _header(self, stamp: int, frame: str) -> Any:
        time = self._make("builtin_interfaces/msg/Time", stamp // 10**9, stamp % 10**9)
        return self._make("std_msgs/msg/Header", time, frame)

    def _pose(self, T: np.ndarray) -> Any:
        point = self._make("geometry_msgs/msg/Point", *T[:3, 3].tolist())
        return self._make("geometry_msgs/msg/Pose", point, self._quaternion(T))

    def _quaternion(self, T: np.ndarray) -> Any:
        quaternion = Rotation.from_matrix(T[:3, :3]).as_quat().tolist()
        return self._make("geometry_msgs/msg/Quaternion", *quaternion)

    def transforms(self, stamp: int, parent: str, children: Mapping[str, np.ndarray]) -> Any:
        """tf2_msgs/TFMessage."""
        made = []
        for child, T in children.items():
            shift = self._make("geometry_msgs/msg/Vector3", *T[:3, 3].tolist())
            moved = self._make("geometry_msgs/msg/Transform", shift, self._quaternion(T))
            header = self._header(stamp, parent)
            made.append(self._make("geometry_msgs/msg/TransformStamped", header, child, moved))
        return self._make("tf2_msgs/msg/TFMessage", made)

    def odometry(self, stamp: int, T_odom_camera: np.ndarray, camera: str) -> Any:
        """nav_msgs/Odometry without velocity."""
        nothing = np.zeros(36)
        vectors = [self._make("geometry_msgs/msg/Vector3", 0.0, 0.0, 0.0) for _ in range(2)]
        twist = self._make("geometry_msgs/msg/Twist", *vectors)
        return self._make(
            "nav_msgs/msg/Odometry",
            self._header(stamp, "odom"),
            camera,
            self._make("geometry_msgs/msg/PoseWithCovariance", self._pose(T_odom_camera), nothing),
            self._make("geometry_msgs/msg/TwistWithCovariance", twist, nothing),
        )

    def pose(self, stamp: int, T_map_camera: np.ndarray) -> Any:
        """geometry_msgs/PoseWithCovarianceStamped."""
        pose = self._make(
            "geometry_msgs/msg/PoseWithCovariance", self._pose(T_map_camera), np.zeros(36)
        )
        header = self._header(stamp, "map")
        return self._make("geometry_msgs/msg/PoseWithCovarianceStamped", header, pose)

    def path(self, stamp: int, poses: Iterable[tuple[int, np.ndarray]]) -> Any:
        """nav_msgs/Path."""
        made = [
            self._make("geometry_msgs/msg/PoseStamped", self._header(at, "map"), self._pose(T))
            for at, T in poses
        ]
        return self._make("nav_msgs/msg/Path", self._header(stamp, "map"), made)

    def jpeg(self, stamp: int, camera: str, data: bytes) -> Any:
        """sensor_msgs/CompressedImage."""
        content = np.frombuffer(data, np.uint8)
        header = self._header(stamp, camera)
        return self._make("sensor_msgs/msg/CompressedImage", header, "jpeg", content)

    def depth(self, stamp: int, camera: str, depth: np.ndarray) -> Any:
        """sensor_msgs/Image, 32FC1, NaN where unknown."""
        height, width = depth.shape
        data = np.ascontiguousarray(depth, np.float32).view(np.uint8).ravel()
        header = self._header(stamp, camera)
        return self._make(
            "sensor_msgs/msg/Image", header, height, width, "32FC1", 0, 4 * width, data
        )

    def camera_info(self, stamp: int, camera: str, lens: Intrinsics) -> Any:
        """sensor_msgs/CameraInfo of a pinhole camera."""
        P = np.hstack((lens.K, np.zeros((3, 1))))
        region = self._make("sensor_msgs/msg/RegionOfInterest", 0, 0, 0, 0, False)
        return self._make(
            "sensor_msgs/msg/CameraInfo",
            self._header(stamp, camera),
            lens.height,
            lens.width,
            "plumb_bob",
            np.zeros(5),
            lens.K.ravel(),
            np.eye(3).ravel(),
            P.ravel(),
            0,
            0,
            region,
        )

    def cloud(self, stamp: int, frame: str, points: np.ndarray, colours: np.ndarray) -> Any:
        """sensor_msgs/PointCloud2 with x y z rgb."""
        rows = np.zeros(len(points), np.dtype([("xyz", "<f4", 3), ("bgr", "u1", 4)]))
        rows["xyz"], rows["bgr"][:, 2::-1] = points, colours
        fields = [
            self._make("sensor_msgs/msg/PointField", name, 4 * n, _FLOAT32, 1)
            for n, name in enumerate(("x", "y", "z", "rgb"))
        ]
        data = np.frombuffer(rows.tobytes(), np.uint8)
        count, header = len(rows), self._header(stamp, frame)
        return self._make(
            "sensor_msgs/msg/PointCloud2",
            header,
            1,
            count,
            fields,
            False,
            16,
            16 * count,
            data,
            True,
        )
