# SPDX-License-Identifier: Apache-2.0
"""If this fails, what people see offline is not what their robot will see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
pytest.importorskip("rosbags", reason="needs rosbags")
from bags import bag
from peer import NODE, WALL
from test_bag_stepper import EXACT, step
from typer.testing import CliRunner

from dens3r_ros.cli.main import app
from dens3r_ros.mapping.files.map_reading import read_map


def test_live_offline_is_the_node_bit_for_bit(start: Any, tmp_path: Path) -> None:
    path = bag(tmp_path / "a_bag", images=30)
    start(NODE, *WALL, *EXACT)
    code, said = step(path, 120, save_map=str(tmp_path / "node.map"))
    assert code == 0, said
    engine = WALL[1].split(":=")[1]
    command = ["reconstruct", str(path), "--out", str(tmp_path / "out"), "--live"]
    found = CliRunner().invoke(app, [*command, "--engine", engine])
    assert found.exit_code == 0, found.output
    node, ours = read_map(tmp_path / "node.map"), read_map(tmp_path / "out" / "scene.map")
    assert len(node.records) > 20
    assert [one.stamp for one in node.records] == [one.stamp for one in ours.records]
    for one, other in zip(node.records, ours.records, strict=True):
        assert np.array_equal(one.T_keyframe_frame, other.T_keyframe_frame)
    assert node.poses.keys() == ours.poses.keys()
    for i in node.poses:
        assert np.array_equal(node.poses[i], ours.poses[i])
    for a, b in zip(node.keyframes, ours.keyframes, strict=True):
        assert np.array_equal(a.stored.depth, b.stored.depth)
        assert np.array_equal(a.stored.confidence, b.stored.confidence)
