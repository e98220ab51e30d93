# SPDX-License-Identifier: Apache-2.0
"""The life of a process that runs one node: signals, spinning, leaving in time."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from dens3r_ros.nodes.starting.middleware import tune_this_process
from dens3r_ros.nodes.starting.shared_memory import free_abandoned_segments

LEAVE_WITHIN_S = 1.8


class Stop:
    """Becomes set on the first SIGINT or SIGTERM; the process ends soon after in any case."""

    def __init__(self, leave_within_s: float = LEAVE_WITHIN_S) -> None:
        self._event = threading.Event()
        self._leave_within_s = leave_within_s
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def __bool__(self) -> bool:
        return self._event.is_set()

    def _on_signal(self, *_: object) -> None:
        if not self._event.is_set():
            self._event.set()
            # A library may be in the middle of something that nothing can interrupt.
            watchdog = threading.Timer(self._leave_within_s, _leave)
            watchdog.daemon = True
            watchdog.start()


def _leave() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def run_main(module: str) -> None:
    """Run a module's `main(stop)` and exit; signals are heard before its slow imports."""
    stop = Stop()
    raise SystemExit(importlib.import_module(module).main(stop))


def run_node(make: Callable[[], Any], stop: Stop | None = None) -> int:
    """Make a node and spin it until a signal; its `close()`, where it has one, comes last.

    The exit code: 1 where ROS refuses the arguments or the node has `failed`, else 0.
    """
    stop = stop or Stop()
    tune_this_process()
    free_abandoned_segments()
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions
    from rclpy.utilities import get_default_context

    try:
        rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 1
    executor = SingleThreadedExecutor()
    node = None
    try:
        node = make()
        executor.add_node(node)
        while rclpy.ok() and not stop and not _failed(node):
            executor.spin_once(timeout_sec=0.1)
        code = 1 if _failed(node) else 0
    finally:
        if node is not None:
            getattr(node, "close", lambda: None)()
            node.destroy_node()
        executor.shutdown(timeout_sec=0.1)
        rclpy.try_shutdown()
        del node, executor
        # Whoever ends the process without Python's own end leaves DDS's shared memory behind else.
        gc.collect()
        get_default_context().destroy()
    return code


def _failed(node: Any) -> bool:
    return getattr(node, "failed", False)
