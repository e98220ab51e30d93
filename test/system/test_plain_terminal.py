# SPDX-License-Identifier: Apache-2.0
"""If this fails, a camera driver, RViz and `ros2 topic` of an ordinary terminal do not exist for
the node, nor the node for them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")

from dens3r_ros.nodes.starting.launching import launched_environment

ROOT = Path(__file__).parents[2]
PEER = Path(__file__).with_name("plain_peer.py")
SETTINGS = ("FASTDDS_", "FASTRTPS_", "MALLOC_", "OMP_")
WALL = ["--ros-args", "-p", "engine.name:=dens3r_ros.evaluation.oracle.wall_engine:WallEngine"]
NEEDED = {"points", "depth/image", "odometry"}


def plain_terminal() -> dict[str, str]:
    """ROS is sourced in it, and that is all."""
    return {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}


def launched() -> dict[str, str]:
    """What a launch file that was started there gives to the node."""
    plain = plain_terminal()
    return plain | launched_environment(plain)


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            process.kill()
            process.wait()


def heard(log: Path) -> dict[str, int]:
    lines = [line.split() for line in log.read_text().splitlines()]
    return {words[0]: int(words[1]) for words in lines if len(words) == 2}


@pytest.mark.parametrize("environment", [plain_terminal, launched])
@pytest.mark.parametrize(
    "size", [(640, 480), (1920, 1080)], ids=lambda size: f"{size[0]}x{size[1]}"
)
def test_a_plain_camera_is_seen_and_a_plain_listener_hears(environment, size, tmp_path) -> None:
    log = tmp_path / "peer.log"
    node = [str(ROOT / "scripts" / "dens3r_node"), *WALL]
    peer = [str(PEER), *map(str, size), "100"]
    with running(node, environment(), tmp_path / "node.log"), running(peer, plain_terminal(), log):
        end = time.monotonic() + 90
        while not set(heard(log)) >= NEEDED and time.monotonic() < end:
            time.sleep(0.2)
    said = (tmp_path / "node.log").read_text()
    assert set(heard(log)) >= NEEDED, log.read_text() + said
    assert heard(log)["depth/image"] == 4 * size[0] * size[1]
