# SPDX-License-Identifier: Apache-2.0
"""ROS 2 from PyPI: what the wheels need after they are installed."""

from __future__ import annotations

import re
from pathlib import Path

from ros_setup.steps import write_atomically

BUILD_PYTHON = re.compile(r"/opt/python/cp\d+-cp\d+t?/include/python3\.\d+t?")
BUILD_NUMPY = re.compile(r"/opt/python/cp\d+-cp\d+t?/lib/[^;\" ]*/numpy/_core/include")

TF2_MSGS = {
    "msg/TFMessage.msg": "geometry_msgs/TransformStamped[] transforms\n",
    "package.xml": """<?xml version="1.0"?>
<package format="3">
  <name>tf2_msgs</name>
  <version>0.0.0</version>
  <description>The one message that transforms travel in, where no ROS brings it.</description>
  <maintainer email="maintainers@dens3r-ros.example">dens3r_ros maintainers</maintainer>
  <license>BSD-3-Clause</license>
  <buildtool_depend>ament_cmake</buildtool_depend>
  <buildtool_depend>rosidl_default_generators</buildtool_depend>
  <depend>geometry_msgs</depend>
  <exec_depend>rosidl_default_runtime</exec_depend>
  <member_of_group>rosidl_interface_packages</member_of_group>
  <export><build_type>ament_cmake</build_type></export>
</package>
""",
    "CMakeLists.txt": """cmake_minimum_required(VERSION 3.16)
project(tf2_msgs)
find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
find_package(geometry_msgs REQUIRED)
rosidl_generate_interfaces(tf2_msgs msg/TFMessage.msg DEPENDENCIES geometry_msgs)
ament_package()
""",
}


def mend(venv: Path, include: str, numpy_include: str) -> int:
    """Replace the build machine's paths in the wheels' cmake files; how many files changed."""
    changed = 0
    for path in sorted((venv / "share").glob("*/cmake/*.cmake")):
        text = path.read_text()
        mended = BUILD_NUMPY.sub(lambda _: numpy_include, text)
        mended = BUILD_PYTHON.sub(lambda _: include, mended)
        if mended != text:
            write_atomically(path, mended)
            changed += 1
    return changed


def write_tf2_msgs(folder: Path) -> None:
    """The sources of tf2_msgs, which is not on PyPI."""
    for name, text in TF2_MSGS.items():
        write_atomically(folder / name, text)
