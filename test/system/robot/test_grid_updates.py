# SPDX-License-Identifier: Apache-2.0
"""If these fail, a robot whose ROS has map_msgs drives by another floor plan than the node has, or
gets all of it for every cell that changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dds_domain import domain_for

pytest.importorskip("rclpy", reason="needs ROS 2")
from grid_peers import plans

PEERS = Path(__file__).with_name("grid_peers.py")
UPDATE = "std_msgs/Header header\nint32 x\nint32 y\nuint32 width\nuint32 height\nint8[] data\n"
PACKAGE = """<package format="3">
  <name>map_msgs</name><version>0.0.0</version><description>.</description>
  <maintainer email="nobody@example.com">nobody</maintainer><license>BSD</license>
  <buildtool_depend>ament_cmake</buildtool_depend>
  <buildtool_depend>rosidl_default_generators</buildtool_depend>
  <depend>std_msgs</depend><exec_depend>rosidl_default_runtime</exec_depend>
  <member_of_group>rosidl_interface_packages</member_of_group>
  <export><build_type>ament_cmake</build_type></export>
</package>
"""
CMAKE = """cmake_minimum_required(VERSION 3.16)
project(map_msgs)
find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
find_package(std_msgs REQUIRED)
rosidl_generate_interfaces(map_msgs msg/OccupancyGridUpdate.msg DEPENDENCIES std_msgs)
ament_package()
"""


@pytest.fixture(scope="module")
def with_map_msgs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which map_msgs is there: the one of this ROS, else its one message that
    matters here, generated from its published definition."""
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain_for(__name__))}
    there = subprocess.run([sys.executable, "-c", "import map_msgs.msg"], capture_output=True)
    if there.returncode == 0:
        return environment
    root = tmp_path_factory.mktemp("map_msgs")
    (root / "src" / "msg").mkdir(parents=True)
    for name, text in (
        ("msg/OccupancyGridUpdate.msg", UPDATE),
        ("package.xml", PACKAGE),
        ("CMakeLists.txt", CMAKE),
    ):
        (root / "src" / name).write_text(text)
    build = ["colcon", "--log-base", "log", "build", "--merge-install", "--base-paths", "src"]
    built = subprocess.run(
        [*build, "--cmake-args", "-DBUILD_TESTING=OFF", f"-DPython3_EXECUTABLE={sys.executable}"],
        cwd=root,
        capture_output=True,
        text=True,
    )
    if built.returncode:
        pytest.skip(f"map_msgs could not be generated here: {built.stderr[-400:]}")
    install = root / "install"
    (packages,) = {path.parents[2] for path in install.rglob("map_msgs/msg/__init__.py")}
    for name, folder in (
        ("PYTHONPATH", packages),
        ("LD_LIBRARY_PATH", install / "lib"),
        ("AMENT_PREFIX_PATH", install),
    ):
        environment[name] = f"{folder}:{os.environ.get(name, '')}"
    return environment


@pytest.fixture
def peers(with_map_msgs: dict[str, str]) -> Iterator[tuple[subprocess.Popen, subprocess.Popen]]:
    """The static layer and, once that listens, the node."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = []
    for role in ("listen", "send"):
        command = [sys.executable, str(PEERS), role]
        started.append(subprocess.Popen(command, env=with_map_msgs, **pipes))
        if role == "listen":
            assert started[0].stdout.readline() == "ready\n"
    yield tuple(started)
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_only_what_changed_goes_out_and_the_static_layer_has_all(peers) -> None:
    """The third plan is the second once more: nothing goes out for it."""
    layer, node = peers
    ways = []
    for number, plan in enumerate(plans()):
        print(file=node.stdin, flush=True)
        if number == 2:
            continue
        said = json.loads(layer.stdout.readline())
        ways.append(said["how"])
        rows, columns = plan.cells.shape
        assert (np.array(said["cells"], np.int8)[-rows:, -columns:] == plan.cells).all()
    assert ways == ["whole", "16x24", "whole", "42x52"]
