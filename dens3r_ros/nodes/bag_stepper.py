# SPDX-License-Identifier: Apache-2.0
"""Steps a bag through the node, never faster than the node works, so that no frame is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.starting.process import Stop, run_node

AHEAD = 40
"""Images published beyond those that the node has dealt with."""
ANSWER_WITHIN_S = 120.0
KINDS = {kind.__name__: kind for kind in (Image, CompressedImage, CameraInfo)}


class BagError(ValueError):
    """A bag that cannot be stepped through, or whose map cannot be saved; the text says why."""


class Finished(Exception):
    """The bag was played to its end."""


class BagStepper(Node):
    """Publishes a bag's images and calibration as they were recorded."""

    def __init__(self) -> None:
        super().__init__("bag_stepper")
        text = {name: str(self.declare_parameter(name, "").value) for name in ("bag", "save_map")}
        self._bag, self._save_map = Path(text["bag"]).expanduser(), text["save_map"]
        topics = [
            str(self.declare_parameter(name, name).value) for name in ("image", "camera_info")
        ]
        self._messages = bag_messages(self._bag, topics)
        self._outputs: dict[str, Any] = {}
        self._published = 0
        self._before: int | None = None
        self._done = 0
        self._idle = False
        self._saving: Any = None
        self.create_subscription(interfaces.messages.Status, "dens3r/status", self._on_status, 10)
        self.create_timer(0.002, self._step)
        self.get_logger().info(f"stepping through {self._bag}")

    def _on_status(self, status: Any) -> None:
        done = status.images_processed + status.images_dropped
        if self._before is None:
            self._before = done
        self._done = done - self._before
        self._idle = self._done >= self._published and status.images_waiting == 0

    def _step(self) -> None:
        if self._saving is not None:
            self._await_save(self._saving)
        elif self._before is not None and self._published - self._done < AHEAD:
            self._publish_next()

    def _publish_next(self) -> None:
        for topic, kind, data in self._messages:
            self._output(topic, kind).publish(data)
            if kind is not CameraInfo:
                self._published += 1
                self._idle = False
                return
        if self._idle:
            self._finish()

    def _output(self, topic: str, kind: Any) -> Any:
        if topic not in self._outputs:
            deep = QoSProfile(
                history=HistoryPolicy.KEEP_LAST,
                depth=2 * AHEAD,
                reliability=ReliabilityPolicy.RELIABLE,
            )
            self._outputs[topic] = self.create_publisher(kind, topic, deep)
            self._await_subscriber(self._outputs[topic], topic, required=kind is not CameraInfo)
        return self._outputs[topic]

    def _await_subscriber(self, output: Any, topic: str, required: bool) -> None:
        end = time.monotonic() + (ANSWER_WITHIN_S if required else 5.0)
        while not output.get_subscription_count() and time.monotonic() < end:
            time.sleep(0.05)
        if required and not output.get_subscription_count():
            raise BagError(f"nobody subscribed to {topic} within {ANSWER_WITHIN_S:g} s")

    def _finish(self) -> None:
        self.get_logger().info(f"{self._published} images stepped through")
        if not self._save_map:
            raise Finished
        kind = interfaces.services.SaveMap
        client = self.create_client(kind, "dens3r/save_map")
        client.wait_for_service(ANSWER_WITHIN_S)
        self._saving = client.call_async(kind.Request(path=self._save_map))

    def _await_save(self, answer: Any) -> None:
        if not answer.done():
            return
        if not answer.result().success:
            raise BagError(f"the map was not saved: {answer.result().message}")
        self.get_logger().info(answer.result().message)
        raise Finished


def bag_messages(bag: Path, topics: list[str]) -> Iterator[tuple[str, Any, bytes]]:
    """(topic, message class, serialised message) in the order of recording; any ROS 2 storage."""
    if not bag.exists():
        raise BagError(f"bag '{bag}' does not exist")
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.highlevel.anyreader import AnyReaderError
    except ModuleNotFoundError as error:
        raise BagError("stepping through bags needs rosbags: pip install rosbags") from error
    try:
        with AnyReader([bag]) as reader:
            if not reader.is2:
                raise BagError(f"{bag} is of ROS 1: convert it first, by rosbags-convert")
            wanted = [c for c in reader.connections if _matches(c.topic, topics)]
            if not any("Image" in c.msgtype for c in wanted):
                held = ", ".join(sorted(f"{c.topic} ({c.msgtype})" for c in reader.connections))
                raise BagError(f"{bag} has no images on {topics[0]}; it holds {held or 'nothing'}")
            for connection, _, data in reader.messages(connections=wanted):
                kind = KINDS[connection.msgtype.rsplit("/", 1)[-1]]
                yield connection.topic, kind, bytes(data)
    except AnyReaderError as error:
        raise BagError(f"{bag} cannot be read: {error}") from error


def _matches(topic: str, wanted: list[str]) -> bool:
    return topic.lstrip("/") in {name.lstrip("/") for name in wanted}


def main(stop: Stop | None = None) -> int:
    """Run until the bag has ended."""
    try:
        return run_node(BagStepper, stop)
    except Finished:
        return 0
    except BagError as error:
        rclpy.logging.get_logger("bag_stepper").error(str(error))
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
