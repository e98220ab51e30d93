# SPDX-License-Identifier: Apache-2.0
"""Waiting for topics in launch files, without holding up launch, which is imported late."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

AGAIN_S = 0.25
TOLD_EVERY_S = 10.0
SETTLED_S = 2.0
"""For which to look for further cameras once one was found."""
COMPRESSED = "/compressed"
_KINDS = {"sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"}
_STATUS = "dens3r_ros/msg/Status"


def image_topics(types_of: Mapping[str, Iterable[str]]) -> list[str]:
    """Topics that a camera may be behind, raw ones where it publishes both, out of those given.

    What nodes of this package publish is left out.
    """
    ours = tuple(name[: -len("status")] for name, types in types_of.items() if _STATUS in types)
    names = {
        name
        for name, types in types_of.items()
        if _KINDS & set(types) and not name.startswith(ours)
    }
    return sorted(n for n in names if raw_name(n) == n or raw_name(n) not in names)


def raw_name(topic: str) -> str:
    """`front/image` of `front/image` and of `front/image/compressed`."""
    return topic.removesuffix(COMPRESSED)


class Graph:
    """The topics that exist, as a node of launch's own process sees them."""

    def __init__(self) -> None:
        import rclpy

        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context)
        self._node = rclpy.create_node("dens3r_launch", context=self._context)

    def published_images(self) -> list[str]:
        """Image topics that somebody else publishes."""
        named = self._node.get_topic_names_and_types()
        return image_topics({n: types for n, types in named if self._node.count_publishers(n)})

    def is_subscribed(self, topic: str) -> bool:
        """Whether anybody listens to a topic."""
        return self._node.count_subscribers(topic) > 0

    def close(self) -> None:
        """Leave."""
        import rclpy

        self._node.destroy_node()
        rclpy.shutdown(context=self._context)


def once_subscribed(topic: str, then: list[Any]) -> Any:
    """Launch action that does `then` as soon as anybody listens to a topic."""
    graph: list[Graph] = []

    def look(_: Any) -> list[Any]:
        if not graph:
            graph.append(Graph())
        if not graph[0].is_subscribed(topic):
            return [_again(look)]
        graph[0].close()
        return then

    return _again(look)


class CameraSearch:
    """Looks until one camera publishes, then does `then(topic)`."""

    def __init__(self, seconds: float, then: Callable[[str], list[Any]]) -> None:
        self._seconds, self._then = seconds, then
        self._began = self._told = time.monotonic()
        self._found_first: float | None = None
        self._graph: Graph | None = None

    def begin(self) -> list[Any]:
        """Launch actions that end in those of `then`, or in an error that says why not."""
        return [_told("looking for a camera; image:=TOPIC would name one"), _again(self._look)]

    def _look(self, _: Any) -> list[Any]:
        self._graph = self._graph or Graph()
        topics, now = self._graph.published_images(), time.monotonic()
        if topics and self._found_first is None:
            self._found_first = now
        if topics and self._found_first is not None and now - self._found_first >= SETTLED_S:
            self._graph.close()
            return self._then(_only_one(topics))
        if self._seconds and now - self._began > self._seconds:
            self._graph.close()
            raise RuntimeError(f"no camera published within {self._seconds:g} s")
        if now - self._told < TOLD_EVERY_S:
            return [_again(self._look)]
        self._told = now
        return [_told("no camera publishes yet; is its driver running?"), _again(self._look)]


def _again(look: Callable[[Any], list[Any]]) -> Any:
    from launch.actions import OpaqueFunction, TimerAction

    return TimerAction(period=AGAIN_S, actions=[OpaqueFunction(function=look)])


def _told(text: str) -> Any:
    from launch.actions import LogInfo

    return LogInfo(msg=text)


def _only_one(topics: list[str]) -> str:
    if len(topics) == 1:
        return topics[0]
    raise RuntimeError(
        "several cameras publish; choose one: " + " ".join(f"image:={t}" for t in topics)
    )
