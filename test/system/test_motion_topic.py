# SPDX-License-Identifier: Apache-2.0
"""If these fail, nobody outside the node learns what moves, or it is kept in the clouds."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
from peer import EVERY_FRAME, NODE, Peer, Stream, stamp_of, texture, values, view
from sensor_msgs.msg import Image, PointCloud2

SIDE = 80
THING = texture(7, SIDE)
MOVING = ("-p", "engine.name:=geometric", "-p", "motion.enabled:=true", *EVERY_FRAME)


def place(step: int) -> tuple[slice, slice]:
    """Where the thing is, which comes in from the left after a while: walls go the other way."""
    right = 8 * max(step - 12, 0)
    return slice(90, 90 + SIDE), slice(max(right - SIDE, 0), right)


def image(step: int, stamp: int, frame_id: str = "camera_optical") -> Image:
    pixels = view(step)
    rows, columns = place(step)
    shown = pixels[rows, columns]
    shown[:] = THING[:, SIDE - shown.shape[1] :]
    message = Image(height=240, width=320, encoding="rgb8", step=960)
    message.data = array("B", pixels.tobytes())
    message.header.frame_id = frame_id
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
    return message


def test_what_moves_is_published_with_the_depth_image(start: Any, peer: Peer) -> None:
    start(NODE, *MOVING)
    peer.listen(Image, "dens3r/motion")
    peer.listen(Image, "dens3r/depth/image")
    peer.listen(PointCloud2, "dens3r/points")
    stream = Stream(peer)
    stream.send(34, make=image)
    status = stream.status()
    told = {stamp_of(m): m for m in peer.received["dens3r/motion"]}
    depths = {stamp_of(m): m for m in peer.received["dens3r/depth/image"]}
    clouds = {stamp_of(m): m for m in peer.received["dens3r/points"]}
    stamp = max(set(told) & set(depths) & set(clouds))
    motion, depth, cloud = told[stamp], depths[stamp], clouds[stamp]
    assert motion.encoding == "mono8"
    assert (motion.height, motion.width) == (depth.height, depth.width)
    moves = np.frombuffer(motion.data, np.uint8).reshape(240, 320) > 127
    true = np.zeros_like(moves)
    true[place(stream.sent.index(stamp))] = True
    assert (moves & true).sum() / (moves | true).sum() > 0.5
    assert moves.mean() * 0.5 < status.dynamic < 0.3
    flat = np.frombuffer(cloud.data, np.float32).reshape(240, 320, -1)
    assert np.isnan(flat[moves][:, 2]).all() and np.isfinite(flat[..., 2]).mean() > 0.5
    assert np.isfinite(values(depth)).mean() > 0.5


def test_nothing_is_told_where_nobody_asked(start: Any, peer: Peer) -> None:
    start(NODE, "-p", "engine.name:=geometric", *EVERY_FRAME)
    peer.listen(Image, "dens3r/motion")
    peer.listen(Image, "dens3r/depth/image")
    stream = Stream(peer)
    stream.send(14, make=image)
    assert peer.until(lambda: peer.received["dens3r/depth/image"])
    assert stream.status().dynamic == 0 and not peer.received["dens3r/motion"]
