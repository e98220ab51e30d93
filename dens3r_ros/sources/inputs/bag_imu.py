# SPDX-License-Identifier: Apache-2.0
"""The inertial sensor of a bag, where the bag tells how it is mounted beside the camera."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.imu import ImuReadings, ImuRecording

IMU, TF = "sensor_msgs/msg/Imu", "tf2_msgs/msg/TFMessage"


def imu_of(reader: Any, camera_frame: str) -> tuple[ImuRecording | None, str]:
    """The readings of an open bag's only inertial sensor beside the camera with that frame, and
    what a person should know: nothing where the bag holds none."""
    connections = [c for c in reader.connections if c.msgtype == IMU and c.msgcount]
    topics = {c.topic for c in connections}
    if not topics:
        return None, ""
    if len(topics) > 1:
        return None, f"several inertial sensors are left aside: {', '.join(sorted(topics))}"
    topic = topics.pop()
    readings, frame = _readings(reader, connections)
    T_camera_imu = _mounted(_transforms(reader), camera_frame, frame)
    if T_camera_imu is None:
        return None, f"{topic} is left aside: no /tf_static leads from {camera_frame} to {frame}"
    return ImuRecording(readings, T_camera_imu), f"inertial readings of {topic}"


def _readings(reader: Any, connections: list[Any]) -> tuple[ImuReadings, str]:
    """In the order of their stamps, none twice, and the frame that they are in."""
    stamps, values, frame = [], [], ""
    for connection, _, data in reader.messages(connections=connections):
        message = reader.deserialize(data, connection.msgtype)
        header, w, a = message.header, message.angular_velocity, message.linear_acceleration
        stamps.append(header.stamp.sec * 1_000_000_000 + header.stamp.nanosec)
        values.append((w.x, w.y, w.z, a.x, a.y, a.z))
        frame = frame or header.frame_id.lstrip("/")
    known, first = np.unique(np.array(stamps, np.int64), return_index=True)
    read = np.array(values)[first]
    whole = np.isfinite(read).all(1)
    return ImuReadings(known[whole], read[whole, :3], read[whole, 3:]), frame


def _transforms(reader: Any) -> dict[tuple[str, str], np.ndarray]:
    """T_parent_child (4, 4) of all that stands still, and its inverses."""
    connections = [
        c for c in reader.connections if c.msgtype == TF and c.topic.endswith("tf_static")
    ]
    known: dict[tuple[str, str], np.ndarray] = {}
    for connection, _, data in reader.messages(connections=connections) if connections else ():
        for one in reader.deserialize(data, connection.msgtype).transforms:
            parent, child = one.header.frame_id.lstrip("/"), one.child_frame_id.lstrip("/")
            p, q = one.transform.translation, one.transform.rotation
            T = np.eye(4)
            T[:3, :3] = Rotation.from_quat((q.x, q.y, q.z, q.w)).as_matrix()
            T[:3, 3] = p.x, p.y, p.z
            known[parent, child], known[child, parent] = T, np.linalg.inv(T)
    return known


def _mounted(known: dict[tuple[str, str], np.ndarray], here: str, there: str) -> np.ndarray | None:
    """T_here_there (4, 4) along the shortest way; None without one."""
    reached, queue = {here: np.eye(4)}, deque([here])
    while queue and there not in reached:
        at = queue.popleft()
        for (a, b), T in known.items():
            if a == at and b not in reached:
                reached[b] = reached[at] @ T
                queue.append(b)
    return reached.get(there)
