# SPDX-License-Identifier: Apache-2.0
"""Steps a bag through the node, never faster than the node works, so that no frame is lost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo

from dens3r_ros.nodes.bags.reading import Bag, BagDamaged, BagError
from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.starting.process import Stop, run_node

AHEAD = 40
"""Images published beyond those that the node has dealt with."""
ANSWER_WITHIN_S = 120.0


class Finished(Exception):
    """The bag was played to its end, or as far as it could be read."""


class BagStepper(Node):
    """Publishes a bag's images and calibration as they were recorded.

    What is wrong with bag or map is told before the node has loaded anything.
    """

    def __init__(self) -> None:
        super().__init__("bag_stepper")
        text = {name: str(self.declare_parameter(name, "").value) for name in ("bag", "save_map")}
        topics = [
            str(self.declare_parameter(name, name).value) for name in ("image", "camera_info")
        ]
        if interfaces.messages is None:
            raise BagError(interfaces.MISSING_INTERFACES)
        self._save_map = map_file(text["save_map"])
        bag = Bag(Path(text["bag"]).expanduser(), *topics)
        self._messages = bag.messages()
        self._damaged = False
        self._outputs: dict[str, Any] = {}
        self._published = 0
        self._before: int | None = None
        self._done = 0
        self._idle = False
        self._saving: Any = None
        self.create_subscription(interfaces.messages.Status, "dens3r/status", self._on_status, 10)
        self.create_timer(0.002, self._step)
        self.get_logger().info(f"stepping through {bag.path}: {bag.total} messages")

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
        try:
            for topic, kind, data in self._messages:
                self._output(topic, kind).publish(data)
                if kind is not CameraInfo:
                    self._published += 1
                    self._idle = False
                    return
        except BagDamaged as error:
            if not self._published:
                raise
            self._damaged = True
            self.get_logger().error(f"{error}; what was read is mapped, and saved where asked for")
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
            raise self._end()
        kind = interfaces.services.SaveMap
        client: Any = self.create_client(kind, "dens3r/save_map")
        client.wait_for_service(ANSWER_WITHIN_S)
        self._saving = client.call_async(kind.Request(path=self._save_map))

    def _await_save(self, answer: Any) -> None:
        if not answer.done():
            return
        if not answer.result().success:
            raise BagError(f"the map was not saved: {answer.result().message}")
        self.get_logger().info(answer.result().message)
        raise self._end()

    def _end(self) -> Exception:
        return BagError("the bag was not whole, see above") if self._damaged else Finished()


def map_file(named: str) -> str:
    """The whole path of the map that is asked for, "" for none; BagError if it has no folder."""
    if not named:
        return ""
    try:
        path = Path(named).expanduser().absolute()
    except RuntimeError as error:
        raise BagError(f"save_map {named}: {error}") from error
    if not path.parent.is_dir():
        raise BagError(f"save_map {path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise BagError(f"save_map {path} is a folder; name a file")
    return str(path)


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
