# SPDX-License-Identifier: Apache-2.0
"""If these fail, a user who reads the log cannot tell what runs, nor why a map was left behind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
from dens3r_ros.srv import LoadMap, SaveMap
from peer import EVERY_FRAME, NODE, WALL, Peer, Stream
from std_srvs.srv import Trigger


def test_the_start_and_each_epoch_are_explained(start: Any, peer: Peer, tmp_path: Path) -> None:
    node = start(NODE, *WALL, *EVERY_FRAME, "-p", "map.allow_anywhere:=true")
    stream = Stream(peer)
    stream.send(4)
    stream.status()
    line = next(line for line in node.text().splitlines() if "engine wall" in line)
    assert "model none, device cpu, precision fp32" in line
    assert "camera_info" in line and "lengths: metres" in line
    assert "fx 300.0" in node.text()

    def why(epoch: int) -> str:
        assert peer.until(lambda: f"epoch {epoch} begins" in node.text(), 30), node.text()
        return next(s for s in node.text().splitlines() if f"epoch {epoch} begins" in s)

    assert peer.call(Trigger, "dens3r/reset", Trigger.Request()).success
    stream.send(3)
    assert "asked for" in why(1)
    stream.stamp -= 50 * 10**9
    stream.send(3)
    assert "time went back" in why(2)
    stream.send(3, width=300)
    assert "another size" in why(3)
    path = str(tmp_path / "a.map")
    saved = peer.call(SaveMap, "dens3r/save_map", SaveMap.Request(path=path))
    assert saved.success, saved.message
    assert peer.call(LoadMap, "dens3r/load_map", LoadMap.Request(path=path)).success
    stream.send(3, width=300)
    assert re.search(r"the map of .*a\.map was loaded", why(4))


def test_lengths_that_are_no_metres_are_told(start: Any, peer: Peer) -> None:
    node = start(NODE, "-p", "engine.name:=geometric", "-p", "input.use_camera_info:=false")
    Stream(peer, calibrated=False).send(2)
    assert "engine geometric (as named), model none, device cpu" in node.text()
    assert "no metres but a unit of the map's own" in node.text()
    assert "input.use_camera_info is false" in node.text()
