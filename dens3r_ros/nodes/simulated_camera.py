# SPDX-License-Identifier: Apache-2.0
"""A camera that plays a video, a folder of images or a sequence, with its true poses in TF, and the
readings of its inertial sensor where it has one."""

from __future__ import annotations

import time

import rclpy
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from dens3r_ros.nodes.messages.packing import camera_info_message, header_at, image_message
from dens3r_ros.nodes.messages.qos import images_in
from dens3r_ros.nodes.messages.transforms import TransformPublisher, transform_at
from dens3r_ros.nodes.outputs.simulated_imu import SimulatedImu
from dens3r_ros.nodes.starting.process import Stop, run_node
from dens3r_ros.sources import SourceError, open_source

FRAME_ID = "camera_optical_frame"
TRUE_WORLD = "ground_truth/world"
TRUE_CAMERA = "ground_truth/camera_optical_frame"
_PATIENCE_S = 10.0
"""How long the first image waits for somebody to see it."""


class SimulatedCamera(Node):
    """Publishes image, camera_info and ground-truth TF; stamps are the time of publishing, but for
    sources with an inertial sensor, which keep their own distances in time.

    The first image waits for a subscriber, so that a short sequence is seen whole.
    """

    def __init__(self) -> None:
        super().__init__("simulated_camera")
        self._source = open_source(str(self.declare_parameter("source", "").value))
        self._loop = bool(self.declare_parameter("loop", False).value)
        self._calibrated = bool(self.declare_parameter("camera_info", True).value)
        rate = float(self.declare_parameter("rate", 30.0).value or 30.0)
        self._images = self.create_publisher(Image, "image", images_in("reliable", 2))
        self._infos = self.create_publisher(CameraInfo, "camera_info", images_in("reliable", 2))
        self._transforms = TransformPublisher(self)
        recording = getattr(self._source, "imu", None)
        self._imu = None if recording is None else SimulatedImu(self, recording, FRAME_ID)
        self._next = 0
        self._began = time.monotonic()
        self.create_timer(1.0 / rate, self._play)
        self.get_logger().info(
            f"playing {self._source.name}: {len(self._source)} frames at {rate:g} Hz"
        )

    def _play(self) -> None:
        if not self._next and not self._seen():
            return
        if self._next == len(self._source):
            if not self._loop:
                raise EndOfSource
            self._next = 0
        self._publish(self._next)
        self._next += 1

    def _seen(self) -> bool:
        """Whether somebody subscribes to the images, or nobody seems to come."""
        waited = time.monotonic() - self._began
        return waited > _PATIENCE_S or self._images.get_subscription_count() > 0

    def _publish(self, index: int) -> None:
        frame, truth = self._source[index], self._source.truth(index)
        stamp = self.get_clock().now().nanoseconds
        if self._imu is not None:
            stamp = self._imu.play(frame.stamp, stamp, index == 0)
        header = header_at(stamp, FRAME_ID)
        if self._calibrated and frame.intrinsics is not None:
            self._infos.publish(camera_info_message(frame.intrinsics, header))
        self._images.publish(image_message(frame.image, "rgb8", header))
        if truth is not None:
            pose = transform_at(stamp, TRUE_WORLD, TRUE_CAMERA, truth.T_world_camera)
            self._transforms.publish([pose])


class EndOfSource(Exception):
    """Everything was played once."""


def main(stop: Stop | None = None) -> int:
    """Run until the source ends or a signal comes."""
    try:
        return run_node(SimulatedCamera, stop)
    except EndOfSource:
        return 0
    except SourceError as error:
        rclpy.logging.get_logger("simulated_camera").error(f"parameter source: {error}")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
