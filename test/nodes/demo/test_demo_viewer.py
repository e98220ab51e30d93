# SPDX-License-Identifier: Apache-2.0
"""If these fail, the demo opens no window where it could, or an empty one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dens3r_ros.nodes.demo.viewer import NoViewer, RerunViewer, open_viewer


def test_without_a_screen_nothing_is_opened(tmp_path: Path) -> None:
    assert isinstance(open_viewer({"PATH": "/usr/bin"}, tmp_path / "log"), NoViewer)


def test_rviz_is_opened_where_there_is_a_screen_and_ends(tmp_path: Path) -> None:
    rviz = tmp_path / "rviz2"
    rviz.write_text('#!/bin/sh\necho "$@"\nexec sleep 60\n')
    rviz.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path), prepend=":")
        viewer = open_viewer({"DISPLAY": ":0", "PATH": str(tmp_path)}, tmp_path / "log")
        assert viewer.name == "RViz"
        viewer.close()


def test_a_recording_holds_what_came(tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason="rerun-sdk is not installed")
    pytest.importorskip("sensor_msgs.msg", reason="needs ROS message packages")
    from geometry_msgs.msg import PoseStamped
    from nav_msgs.msg import Path as PathMessage
    from std_msgs.msg import Header

    from dens3r_ros.nodes.messages.packing import image_message, point_list_message

    header = Header(frame_id="map")
    points = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    path = PathMessage(header=header, poses=[PoseStamped(), PoseStamped()])
    path.poses[1].header.stamp.sec = 1
    depth = image_message(np.full((6, 8), np.nan, np.float32), "32FC1", header)
    seen = SimpleNamespace(
        latest={"image": image_message(np.zeros((6, 8, 3), np.uint8), "rgb8", header)},
        cloud=point_list_message(points, np.zeros((50, 3), np.uint8), header),
        path=path,
    )
    viewer = RerunViewer(tmp_path / "demo.rrd")
    viewer.show(seen)
    seen.latest["depth"] = depth
    viewer.show(seen)
    viewer.close()
    command = [sys.executable, "-m", "rerun_cli", "rrd", "print", "-v", str(tmp_path / "demo.rrd")]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    for entity in ("camera/image", "camera/depth", "map/points", "map/path"):
        assert printed.count(f" /{entity} ") == 1, printed
