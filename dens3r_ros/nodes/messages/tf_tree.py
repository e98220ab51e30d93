# SPDX-License-Identifier: Apache-2.0
"""What others say in TF of the frames that the node gives parents to."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.serialization import deserialize_message

from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.messages.qos import TRANSFORMS_IN, TRANSFORMS_LATCHED

SILENT_S = 5.0
"""Seconds after which a parent that was on /tf, where it must be repeated, counts as gone."""
_REMEMBERED = 1000


@dataclass(frozen=True)
class ParentClaim:
    """Another node's word that a frame has this parent."""

    parent: str
    fixed: bool
    """Whether it came by /tf_static, which holds until its node is gone, and after."""
    since: float
    """Monotonic seconds when it was heard first."""
    heard: float
    """When it was heard last."""
    publisher: str
    """Full name of the node that said so; empty where that cannot be told."""

    @property
    def alive(self) -> bool:
        """Whether it still counts."""
        return self.fixed or time.monotonic() - self.heard < SILENT_S


@dataclass
class Sent:
    """What the node itself has sent of late, by which it knows its own messages again."""

    _latest: deque[tuple[Any, ...]] = field(default_factory=deque)
    _counts: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def add(self, transforms: Iterable[TransformStamped]) -> None:
        """These are about to be sent."""
        with self._changing:
            for transform in transforms:
                key = _key(transform)
                self._latest.append(key)
                self._counts[key] += 1
            while len(self._latest) > _REMEMBERED:
                oldest = self._latest.popleft()
                self._counts[oldest] -= 1
                if self._counts[oldest] <= 0:
                    del self._counts[oldest]

    def holds(self, transform: TransformStamped) -> bool:
        """Whether the node sent this, as often as it was heard."""
        key = _key(transform)
        with self._changing:
            own = self._counts[key] > 0
            self._counts[key] -= own
            return own


class OthersTree:
    """Hears /tf and /tf_static; of the former only what names a frame that is watched is read."""

    def __init__(self, node: Node, sent: Sent) -> None:
        self._node, self._sent = node, sent
        self._links: dict[str, ParentClaim] = {}
        self._names: dict[str, bytes] = {}
        self._subscriptions: list[Any] = []
        if interfaces.tf2_messages is not None:
            self._subscriptions = [self._listen("/tf", False), self._listen("/tf_static", True)]

    def watch(self, frames: Iterable[str]) -> None:
        """Take note of what is said of these frames too."""
        for frame in frames:
            if frame not in self._names:
                self._names = {**self._names, frame: frame.encode() + b"\0"}

    def link(self, child: str) -> ParentClaim | None:
        """Who else gives the frame a parent, if anybody does."""
        link = self._links.get(child)
        return link if link is not None and link.alive else None

    def above(self, frame: str) -> list[str]:
        """The frame and what others put above it, up to the root."""
        chain = [frame]
        while (link := self.link(chain[-1])) is not None and link.parent not in chain:
            chain.append(link.parent)
        return chain

    def destroy(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _listen(self, topic: str, fixed: bool) -> Any:
        def heard(data: bytes, info: Any) -> None:
            # Making an object of each transform takes 0.1 ms, and arms have dozens of joints.
            if fixed or any(name in data for name in self._names.values()):
                self._read(data, info, fixed)

        qos = TRANSFORMS_LATCHED if fixed else TRANSFORMS_IN
        kind = interfaces.tf2_messages.TFMessage
        return self._node.create_subscription(kind, topic, heard, qos, raw=True)

    def _read(self, data: bytes, info: Any, fixed: bool) -> None:
        message = deserialize_message(data, interfaces.tf2_messages.TFMessage)
        for transform in message.transforms:
            if not self._sent.holds(transform):
                self._note(transform, info, fixed)

    def _note(self, transform: TransformStamped, info: Any, fixed: bool) -> None:
        child = transform.child_frame_id.lstrip("/")
        parent, now = transform.header.frame_id.lstrip("/"), time.monotonic()
        known = self._links.get(child)
        if known is None or known.parent != parent:
            link = ParentClaim(parent, fixed, now, now, self._publisher(info, fixed))
        else:
            # Whoever falls silent for a while and comes back was still there first.
            publisher = known.publisher if known.alive else self._publisher(info, fixed)
            link = ParentClaim(parent, known.fixed or fixed, known.since, now, publisher)
        self._links[child] = link

    def _publisher(self, info: Any, fixed: bool) -> str:
        """Newer ROS tells with each message which publisher it came from."""
        gid = (info.get("publisher_gid") or {}).get("data")
        topic = "/tf_static" if fixed else "/tf"
        for end in self._node.get_publishers_info_by_topic(topic) if gid else ():
            if bytes(end.endpoint_gid) == bytes(gid or ()):
                return f"{end.node_namespace.rstrip('/')}/{end.node_name}"
        return ""


def _key(transform: TransformStamped) -> tuple[Any, ...]:
    t, q = transform.transform.translation, transform.transform.rotation
    stamp = transform.header.stamp
    names = transform.header.frame_id, transform.child_frame_id
    return *names, stamp.sec, stamp.nanosec, t.x, t.y, t.z, q.x, q.y, q.z, q.w
