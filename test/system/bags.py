# SPDX-License-Identifier: Apache-2.0
"""Bags as recorders leave them, and as a full disk or a power cut does."""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np
from peer import image, info
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from std_msgs.msg import String

INFO = "sensor_msgs/msg/CameraInfo"


def bag(path: Path, images: int = 12, info_type: str = INFO) -> Path:
    """A camera past a wall, a tenth of a second from image to image, as MCAP."""
    store = get_typestore(Stores.ROS2_JAZZY)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        of_images = writer.add_connection("/image", "sensor_msgs/msg/Image", typestore=store)
        of_infos = writer.add_connection("/camera_info", info_type, typestore=store)
        for step in range(images):
            stamp = (1 + step) * 100_000_000
            other = info(stamp) if info_type == INFO else String(data="no calibration")
            writer.write(of_infos, stamp, serialize_message(other))
            writer.write(of_images, stamp, serialize_message(image(step, stamp)))
    return path


def damage(path: Path, begin: float = 0.6, end: float = 0.7) -> Path:
    """Overwrite a share of a bag's file."""
    file = next(path.glob("*.mcap"))
    content = bytearray(file.read_bytes())
    first, last = (int(share * len(content)) for share in (begin, end))
    content[first:last] = array("B", np.full(last - first, 170, np.uint8).tobytes())
    file.write_bytes(content)
    return path
