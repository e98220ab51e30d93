# SPDX-License-Identifier: Apache-2.0
"""If these fail, one bad moment of the engine ends the map, or a lost GPU goes unnoticed."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
from peer import EVERY_FRAME, NODE, Peer, Stream, values
from sensor_msgs.msg import Image


@pytest.mark.parametrize("engine", ["raising", "not_finite"])
def test_the_node_goes_on_after_a_bad_moment(start: Any, peer: Peer, engine: str) -> None:
    node = start(NODE, "-p", f"engine.name:=stumbling:{engine}", *EVERY_FRAME)
    peer.listen(Image, "dens3r/depth/image")
    stream = Stream(peer)
    stream.send(14)
    status = stream.status()
    assert status.tracking == stream.TRACKING
    assert status.images_received == status.images_processed + status.images_dropped
    assert all(
        (values(m)[values(m) == values(m)] > 0).all() for m in peer.received["dens3r/depth/image"]
    )
    assert ("stumbled" in node.text()) == (engine == "raising")


def test_a_lost_gpu_ends_the_process_for_whoever_restarts_it(start: Any, peer: Peer) -> None:
    node = start(NODE, "-p", "engine.name:=stumbling:broken_driver", *EVERY_FRAME)
    stream = Stream(peer)
    for _ in range(20):
        if node.popen.poll() is None:
            stream.send(1)
    assert node.popen.wait(10) == 1
    assert "CUDA error" in node.text()
    seen = peer.received["dens3r/status"]
    assert peer.until(lambda: seen[-1].tracking == seen[-1].TRACKING_FAILED, 5)
    assert "restart the node" in seen[-1].reason
