# SPDX-License-Identifier: Apache-2.0
"""The process that `ros2 run dens3r_ros dens3r_node` starts."""

from __future__ import annotations

import os
import sys
from typing import Any

from dens3r_ros.nodes.starting.process import Stop, run_node


class NotStarted(Exception):
    """ROS refuses the parameters; the log says why."""


def main() -> None:
    """Run the node until a signal; exit code 0 unless it could not start."""
    stop = Stop()
    code = 0
    try:
        code = run_node(_made, stop)
    except NotStarted:
        code = 0 if stop else 1
    sys.stdout.flush()
    sys.stderr.flush()
    # A library's thread may still be at work on a frame; ending Python under it would crash.
    os._exit(code)


def _made() -> Any:
    from rclpy.exceptions import ParameterException
    from rclpy.logging import get_logger

    from dens3r_ros.nodes.node import Dens3rNode

    try:
        return Dens3rNode()
    except ParameterException as error:
        get_logger("dens3r").error(f"cannot start: {error}")
        raise NotStarted from error


if __name__ == "__main__":
    main()
