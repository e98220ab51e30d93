# SPDX-License-Identifier: Apache-2.0
"""The node as a robot uses it: a camera that does not wait, and what comes of its images."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.signals import SignalHandlerOptions

from dens3r_ros.nodes.bench.figures import Memory, live_figures
from dens3r_ros.nodes.bench.fixed import Fixed
from dens3r_ros.nodes.bench.run import BenchError
from dens3r_ros.nodes.bench.watcher import Watcher, accuracy
from dens3r_ros.nodes.demo.children import Child
from dens3r_ros.nodes.starting.middleware import tune_this_process
from dens3r_ros.nodes.starting.process import Stop

START_WITHIN_S = 90.0
DRAIN_WITHIN_S = 20.0


@dataclass(frozen=True)
class LiveOptions:
    """source: what the camera plays; rate: images a second; seconds: at most; config: the node's
    parameter file; engine, model: as its parameters; domain: of DDS; loop: play on and on."""

    source: str
    rate: float
    seconds: float
    config: Path
    engine: str
    model: str
    domain: int
    loop: bool = False


def bench_live(options: LiveOptions, tell: Callable[[str], None]) -> dict[str, Any]:
    """All figures by name; `tell` hears what is being done."""
    tune_this_process()
    os.environ["ROS_DOMAIN_ID"] = str(options.domain)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    stop = Stop(leave_within_s=20.0)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    children: list[Child] = []
    watcher = Watcher()
    try:
        with tempfile.TemporaryDirectory(prefix="dens3r_bench_") as folder:
            try:
                return _Run(options, Path(folder), watcher, children, stop, tell).figures()
            finally:
                for child in children:
                    child.stop()
    finally:
        watcher.destroy_node()
        rclpy.try_shutdown()


class _Run:
    """One node and one camera."""

    def __init__(
        self,
        options: LiveOptions,
        folder: Path,
        watcher: Watcher,
        children: list[Child],
        stop: Stop,
        tell: Callable[[str], None],
    ) -> None:
        self._options, self._watcher, self._children = options, watcher, children
        self._stop, self._tell, self._folder = stop, tell, folder
        self._fixed, self._memory = Fixed(), Memory()

    def figures(self) -> dict[str, Any]:
        self._tell("starting the node")
        node = self._start(
            "dens3r_ros.nodes.live",
            params_file=self._options.config,
            **{"engine.name": self._options.engine, "engine.model": self._options.model},
        )
        self._until(lambda: self._watcher.status is not None, START_WITHIN_S, "status")
        self._tell(f"playing {self._options.source} at {self._options.rate:g} images a second")
        busy, began = _seconds_of(node.pid), time.monotonic()
        camera = self._start(
            "dens3r_ros.nodes.simulated_camera",
            source=self._options.source,
            rate=self._options.rate,
            loop=self._options.loop,
        )
        self._play(camera, node.pid, began + self._options.seconds)
        seconds = time.monotonic() - began
        computed = _seconds_of(node.pid) - busy
        self._hear_path()
        return {
            **live_figures(self._watcher.status, self._watcher.arrivals, computed),
            **accuracy(self._watcher.path, self._watcher.truth),
            "seconds": seconds,
            "rss_mib": self._memory.last_mib(),
            "rss_growth_percent": self._memory.growth_percent(),
            **self._fixed.figures(),
            "cores": os.cpu_count(),
            "load_average": os.getloadavg()[0],
        }

    def _start(self, module: str, **parameters: Any) -> Child:
        child = Child(module, parameters, self._folder / f"{module}.log")
        self._children.append(child)
        return child

    def _play(self, camera: Child, node: int, end: float) -> None:
        """Until the camera has played all, or long enough, and what waits was worked off."""
        while camera.running() and time.monotonic() < end and not self._stop:
            self._spin(1.0)
            self._fixed.measure()
            self._memory.note(self._watcher.status.images_processed, node)
        camera.stop()
        if self._stop:
            raise BenchError("stopped before the end: nothing was measured")
        self._watcher.status = None
        self._until(self._drained, DRAIN_WITHIN_S, "status after the last image")

    def _hear_path(self) -> None:
        """Where the camera has been, if somebody knows where it truly was."""
        if self._watcher.truth and self._watcher.arrivals:
            self._watcher.ask_for_path()
            self._until(lambda: bool(self._watcher.path), DRAIN_WITHIN_S, "path")

    def _drained(self) -> bool:
        status = self._watcher.status
        return status is not None and not status.images_waiting

    def _until(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while not done():
            if not self._children[0].running() or time.monotonic() > end:
                said = self._children[0].last_lines()
                raise BenchError(f"no {what} within {seconds:g} s; the node said:\n{said}")
            if self._stop:
                raise BenchError("stopped before the end: nothing was measured")
            self._spin(0.1)

    def _spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            rclpy.spin_once(self._watcher, timeout_sec=0.02)


def _seconds_of(pid: int) -> float:
    """CPU seconds that a process has used, all threads together; NaN where that cannot be read."""
    file = Path(f"/proc/{pid}/stat")
    if not file.is_file():
        return float(np.nan)
    fields = file.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
