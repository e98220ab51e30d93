# SPDX-License-Identifier: Apache-2.0
"""Subscriptions of the cameras: every image is counted, judged by its stamp and handed on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from dens3r_ros.nodes.inputs.stamps import NANOSECONDS, StampGuard, StampVerdict
from dens3r_ros.nodes.inputs.statistics import FrameCounts, Rate
from dens3r_ros.nodes.messages.qos import CALIBRATION_IN, images_in
from dens3r_ros.nodes.settings.config import InputParameters


@dataclass(frozen=True, eq=False)
class Received:
    """An image as it came, with the calibration that its camera last published."""

    camera: str
    message: Image | CompressedImage
    stamp: int
    """Nanoseconds."""
    arrived: float
    """Monotonic seconds."""
    info: CameraInfo | None

    @property
    def frame_id(self) -> str:
        """The camera's frame, as tf2 wants it: without a slash in front."""
        return self.message.header.frame_id.lstrip("/")


@dataclass
class CameraState:
    """What is known of one camera's stream."""

    topic: str
    frame_id: str = ""
    last_of_frame: float = 0.0
    crowded: bool = False
    """Whether several publishers share the topic."""
    rate: Rate = field(default_factory=Rate)
    info: CameraInfo | None = None
    first_image: float | None = None
    last_image: float | None = None
    stalled: bool = False


class Intake:
    """Subscribes to all cameras; `deliver` takes what may be processed."""

    def __init__(
        self,
        node: Node,
        config: InputParameters,
        counts: FrameCounts,
        deliver: Callable[[Received], None],
        restart: Callable[[], None],
    ) -> None:
        self._node, self._config, self._counts = node, config, counts
        self._deliver, self._restart = deliver, restart
        self._guard = StampGuard(restart_after_s=config.restart_after)
        self._began = time.monotonic()
        self.cameras: dict[str, CameraState] = {}
        self._images: dict[str, Subscription] = {}
        self._infos: list[Subscription] = []
        self._refused: set[str] = set()
        self._retry: Timer | None = None
        for camera in config.cameras:
            self._images[camera] = self._subscribe(camera, config.qos)
            self.cameras[camera] = CameraState(self._images[camera].topic_name)
            if config.use_camera_info:
                self._infos.append(self._subscribe_info(camera))

    def destroy(self) -> None:
        """Stop listening."""
        for subscription in (*self._images.values(), *self._infos):
            self._node.destroy_subscription(subscription)
        self._images.clear()
        self._infos.clear()
        self._end_retry()

    def forget_stamps(self) -> None:
        """Accept any stamp next, as after a reset."""
        self._guard.forget()

    def watch(self) -> list[str]:
        """One sentence for each camera that fell silent, or came back, since the last call."""
        now = time.monotonic()
        sentences = []
        for state in self.cameras.values():
            silent = now - (state.last_image or self._began) > self._config.stall_after
            if silent and not state.stalled:
                sentences.append(self._silence(state))
            elif state.stalled and not silent:
                sentences.append(f"images arrive again on {state.topic}")
            state.stalled = silent
            publishers = self._node.count_publishers(state.topic)
            if publishers > 1 and not state.crowded:
                sentences.append(f"{publishers} publishers share {state.topic}: do images mix?")
            state.crowded = publishers > 1
        return sentences

    def _subscribe(self, camera: str, qos: str) -> Subscription:
        compressed = self._config.transport == "compressed"
        kind: Any = CompressedImage if compressed else Image
        depth = 2 if self._config.policy == "latest" else self._config.queue_size
        return self._node.create_subscription(
            kind,
            _below(camera, "image/compressed" if compressed else "image"),
            lambda message: self._on_image(camera, message),
            images_in(qos, depth),
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=lambda _: self._on_mismatch(camera)
            ),
        )

    def _subscribe_info(self, camera: str) -> Subscription:
        return self._node.create_subscription(
            CameraInfo,
            _below(camera, "camera_info"),
            lambda message: self._on_info(camera, message),
            CALIBRATION_IN,
        )

    def _on_info(self, camera: str, message: CameraInfo) -> None:
        self.cameras[camera].info = message

    def _on_image(self, camera: str, message: Image | CompressedImage) -> None:
        now = time.monotonic()
        state = self.cameras[camera]
        state.rate.tick(now)
        state.last_image = now
        state.first_image = state.first_image or now
        self._counts.received += 1
        stamp = self._stamp(message)
        if not self._has_frame(state, message, now) or not self._acceptable(camera, stamp):
            return
        if self._waits_for_info(state, now):
            self._counts.drop("waiting_for_camera_info")
            return
        self._deliver(Received(camera, message, stamp, now, state.info))

    def _stamp(self, message: Image | CompressedImage) -> int:
        stamp = message.header.stamp.sec * NANOSECONDS + message.header.stamp.nanosec
        if stamp:
            return stamp
        self._node.get_logger().warning(
            "images have no stamp: the time of their arrival is used", once=True
        )
        return self._node.get_clock().now().nanoseconds

    def _has_frame(self, state: CameraState, message: Image | CompressedImage, now: float) -> bool:
        frame_id = message.header.frame_id.strip("/")
        if not frame_id:
            self._counts.drop("no_frame_id")
            self._node.get_logger().error(
                "images have no header.frame_id, so nothing can say where their points are: "
                "set the camera driver's frame_id",
                once=True,
            )
            return False
        if frame_id != state.frame_id and now - state.last_of_frame < self._config.stall_after:
            self._counts.drop("other_frame")
            self._node.get_logger().error(
                f"images on {state.topic} are of frames '{state.frame_id}' and '{frame_id}' in "
                "turn: two cameras publish there; only the first is taken",
                throttle_duration_sec=10.0,
            )
            return False
        state.frame_id, state.last_of_frame = frame_id, now
        return True

    def _acceptable(self, camera: str, stamp: int) -> bool:
        now = self._node.get_clock().now().nanoseconds
        verdict = self._guard.judge(camera, stamp, now)
        if verdict is StampVerdict.RESTART:
            self._restart()
        elif verdict is not StampVerdict.ACCEPT:
            self._counts.drop(verdict.value)
            self._node.get_logger().warning(
                f"image dropped: {_explained(verdict, stamp, now)}", throttle_duration_sec=10.0
            )
            return False
        return True

    def _waits_for_info(self, state: CameraState, now: float) -> bool:
        if not self._config.use_camera_info or state.info is not None:
            return False
        return now - (state.first_image or now) < self._config.camera_info_timeout

    def _on_mismatch(self, camera: str) -> None:
        topic = self.cameras[camera].topic
        if self._config.qos != "best_available":
            self._node.get_logger().error(
                f"a camera publishes {topic} as best effort, and input.qos reliable refuses that: "
                "set input.qos to best_available",
                throttle_duration_sec=10.0,
            )
            return
        self._node.get_logger().info(f"{topic} is published as best effort: taken as it is")
        self._refused.add(camera)
        if self._retry is None:
            # Not from within the event of the subscription that has to go.
            self._retry = self._node.create_timer(0.0, self._take_best_effort)

    def _take_best_effort(self) -> None:
        self._end_retry()
        for camera in self._refused:
            self._node.destroy_subscription(self._images[camera])
            self._images[camera] = self._subscribe(camera, "sensor_data")
        self._refused.clear()

    def _end_retry(self) -> None:
        if self._retry is not None:
            self._node.destroy_timer(self._retry)
            self._retry = None

    def _silence(self, state: CameraState) -> str:
        publishers = self._node.get_publishers_info_by_topic(state.topic)
        if publishers:
            return (
                f"no image on {state.topic} for {self._config.stall_after:g} s, though "
                f"{len(publishers)} publisher(s) exist: "
                + "; ".join(f"{p.node_name} ({p.topic_type})" for p in publishers)
                + _mistyped({p.topic_type for p in publishers}, self._config.transport)
            )
        images = [
            name
            for name, types in self._node.get_topic_names_and_types()
            if any(t.endswith(("/Image", "/CompressedImage")) for t in types)
            and not name.startswith(self._node.get_fully_qualified_name())
            and name != state.topic
        ]
        found = ", ".join(sorted(images)) or "none"
        hint = (
            " (input.transport compressed hears it)"
            if f"{state.topic}/compressed" in images
            else ""
        )
        return f"nobody publishes {state.topic}; image topics that exist: {found}{hint}"


def _mistyped(types: set[str], transport: str) -> str:
    wanted = "CompressedImage" if transport == "compressed" else "Image"
    if f"sensor_msgs/msg/{wanted}" in types:
        return ""
    return f"; with input.transport {transport}, sensor_msgs/msg/{wanted} is needed"


def _explained(verdict: StampVerdict, stamp: int, now: int) -> str:
    text = f"{verdict.value} {stamp * 1e-9:.3f} s"
    if verdict is not StampVerdict.FUTURE:
        return text
    ahead = (stamp - now) * 1e-9
    return f"{text} is {ahead:.1f} s ahead of the clock here: set the camera's clock or this one"


def _below(camera: str, topic: str) -> str:
    return f"{camera}/{topic}" if camera else topic
