# SPDX-License-Identifier: Apache-2.0
"""The process that `ros2 run dens3r_ros dens3r_node` starts."""

from __future__ import annotations

import os
import sys
from typing import Any

from dens3r_ros.nodes.process import Stop, run_node


def main() -> None:
    """Run the node until a signal; exit code 0 unless it could not start."""
    stop = Stop()
    started: list[bool] = []

    def make() -> Any:
        from dens3r_ros.nodes.node import Dens3rNode

        node = Dens3rNode(stopping=lambda: bool(stop))
        started.append(node.start())
        return node

    run_node(make, stop)
    sys.stdout.flush()
    sys.stderr.flush()
    # A library's thread may still be at work on a frame; ending Python under it would crash.
    os._exit(0 if stop or all(started) else 1)


if __name__ == "__main__":
    main()
