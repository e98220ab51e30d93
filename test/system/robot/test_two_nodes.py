# SPDX-License-Identifier: Apache-2.0
"""If these fail, two robots, or two cameras with a node each, write over each other's transforms,
and nobody can tell which of the two is ill."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
from diagnostic_msgs.msg import DiagnosticArray
from peer import EVERY_FRAME, NODE, WALL, Peer, image
from tf2_msgs.msg import TFMessage
from trees import parents

SPACES = ("a", "b")


def both_track(peer: Peer, done: Any) -> bool:
    """Images for both until something is so."""
    for step in range(60):
        for space in SPACES:
            message = image(step % 50, (1000 + step) * 100_000_000, f"{space}_optical")
            peer.publish(f"/{space}/image", message)
        peer.spin(0.15)
        if done():
            return True
    return False


def started(start: Any, *arguments: dict[str, str]) -> list[Any]:
    return [
        start(NODE, "-r", f"__ns:=/{space}", *WALL, *EVERY_FRAME, *own)
        for space, own in zip(SPACES, arguments, strict=True)
    ]


def messages_of(peer: Peer) -> dict[str, str]:
    """The newest diagnosis of each node by its full name."""
    return {s.name: s.message for m in peer.received["/diagnostics"] for s in m.status}


def test_two_nodes_that_publish_the_same_transforms_say_so(start: Any, peer: Peer) -> None:
    peer.listen(DiagnosticArray, "/diagnostics")
    nodes = started(start, (), ())

    def told() -> bool:
        return all("frames.prefix" in node.text() for node in nodes)

    assert both_track(peer, told)
    for node, other in zip(nodes, ("/b/dens3r", "/a/dens3r"), strict=True):
        assert f"map -> odom is published on /tf by {other}" in node.text()
    found = messages_of(peer)
    assert set(found) == {f"/{space}/dens3r: dense geometry" for space in SPACES}
    assert any("map -> odom" in message for message in found.values())


def test_with_prefixes_each_has_a_tree_of_its_own(start: Any, peer: Peer) -> None:
    peer.listen(TFMessage, "/tf", 100)
    nodes = started(start, *(("-p", f"frames.prefix:={space}/") for space in SPACES))
    expected = {f"{space}/odom": f"{space}/map" for space in SPACES}
    expected |= {f"{space}_optical": f"{space}/odom" for space in SPACES}
    assert both_track(peer, lambda: parents(peer.received["/tf"]) == expected)
    peer.spin(1.2)
    assert not any("published on /tf by" in node.text() for node in nodes)
