# SPDX-License-Identifier: Apache-2.0
"""Runs the node with an engine that costs next to nothing, and measures what is left."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dens3r_ros.nodes.bench.camera import Camera
from dens3r_ros.nodes.bench.figures import Memory, accounting, latencies, stage_figures
from dens3r_ros.nodes.demo.children import Child
from dens3r_ros.nodes.starting.middleware import plain_environment, tune_this_process
from dens3r_ros.nodes.starting.process import Stop

START_WITHIN_S = 90.0
DRAIN_WITHIN_S = 10.0
WARMING = 300
"""Images at most until the listener hears all topics."""
STAGES = ("receive", "publish_maps", "publish_poses")


class BenchError(RuntimeError):
    """Nothing could be measured; the text says why."""


@dataclass(frozen=True)
class NodeBenchOptions:
    """How many images of which size, and how often."""

    frames: int
    idle_frames: int
    rate: float
    width: int
    height: int
    domain: int
    plain_camera: bool = False
    """Whether the camera's process has none of our settings, as others' drivers."""
    plain_listener: bool = False


def bench_node(options: NodeBenchOptions, tell: Callable[[str], None]) -> dict[str, Any]:
    """All figures by name; `tell` hears what is being done."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    _set_this_process(options.plain_camera)
    os.environ["ROS_DOMAIN_ID"] = str(options.domain)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    stop = Stop(leave_within_s=20.0)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        with tempfile.TemporaryDirectory(prefix="dens3r_bench_") as folder:
            run = _Run(options, Path(folder), stop, tell)
            try:
                return run.figures()
            finally:
                run.close()
    finally:
        rclpy.try_shutdown()


def _set_this_process(plain: bool) -> None:
    """This process is the camera's."""
    if not plain:
        tune_this_process()
        return
    kept = plain_environment(os.environ)
    for name in {*os.environ} - {*kept}:
        del os.environ[name]


class _Run:
    """One node, first with nobody who listens to its maps, then with a listener to all."""

    def __init__(
        self, options: NodeBenchOptions, folder: Path, stop: Stop, tell: Callable[[str], None]
    ) -> None:
        self._options, self._folder, self._stop, self._tell = options, folder, stop, tell
        self._memory = Memory()
        self._camera = Camera(options.width, options.height, self._on_status)
        self._node = Child(
            "dens3r_ros.nodes.live",
            {
                "engine.name": "dens3r_ros.evaluation.oracle.wall_engine:WallEngine",
                "input.policy": "every",
                "input.qos": "reliable",
            },
            folder / "node.log",
        )
        self._listener: Child | None = None

    def figures(self) -> dict[str, Any]:
        options = self._options
        self._tell("starting the node")
        self._wait(
            lambda: self._camera.status is not None and self._camera.connected(),
            START_WITHIN_S,
            "subscriber to images",
        )
        self._camera.calibrate()
        self._tell(f"{options.idle_frames} images, nobody listens to maps")
        self._play(options.idle_frames)
        idle = stage_figures(self._camera.status, ("publish_maps",), "idle_")
        self._listen()
        self._settle()
        processed_before, sent_before = (
            self._camera.status.images_processed,
            len(self._camera.sent),
        )
        self._tell(f"{options.frames} images, all outputs of a frame are listened to")
        self._play(options.frames)
        status = self._camera.status
        arrivals = self._arrivals(self._camera.sent[sent_before])
        processed = status.images_processed - processed_before
        stages = stage_figures(status, STAGES)
        take = self._camera.take_ms()
        return {
            "width": options.width,
            "height": options.height,
            "plain_camera": options.plain_camera,
            "plain_listener": options.plain_listener,
            "images_sent": len(self._camera.sent) - sent_before,
            "images_processed": processed,
            "images_lost": len(self._camera.sent) - sent_before - processed,
            "images_dropped": status.images_dropped,
            "images_per_second": status.frames_per_second,
            "take_ms_p50": take,
            **stages,
            "own_ms_p50": take + sum(stages[f"{name}_ms_p50"] for name in STAGES),
            **idle,
            **accounting(self._camera.sent[sent_before:], processed, arrivals),
            **latencies(arrivals),
            "rss_mib": self._memory.last_mib(),
            "rss_growth_percent": self._memory.growth_percent(),
            "cores": os.cpu_count(),
            "load_average": os.getloadavg()[0],
        }

    def close(self) -> None:
        for child in (self._listener, self._node):
            if child is not None:
                child.stop()
        self._camera.destroy_node()

    def _play(self, count: int) -> None:
        self._camera.play(count, self._options.rate, self._gone)
        self._settle()

    def _settle(self) -> None:
        # An image that DDS lost is told by the figures.
        self._camera.spin_until(lambda: self._drained() or self._gone(), DRAIN_WITHIN_S)
        if self._stop:
            raise BenchError("stopped before the end: nothing was measured")
        if not self._camera.next_status(DRAIN_WITHIN_S):
            raise BenchError("the node's status does not come any more" + self._log())

    def _listen(self) -> None:
        file = {"file": str(self._folder / "arrivals.json")}
        plain = self._options.plain_listener
        module = "dens3r_ros.nodes.bench." + ("plain_listener" if plain else "listener")
        self._listener = Child(module, file, self._folder / "listener.log", plain)
        # Only messages show that both ends of a topic have found each other.
        while not (self._folder / "arrivals.ready").exists() and not self._gone():
            if len(self._camera.sent) > self._options.idle_frames + WARMING:
                raise BenchError(f"the listener hears nothing:\n{self._listener.last_lines()}")
            self._camera.play(1, 5.0, self._gone)

    def _arrivals(self, first: int) -> Any:
        """What arrived of images from the stamp `first` on."""
        assert self._listener is not None
        self._listener.stop()
        file = self._folder / "arrivals.json"
        if not file.is_file():
            raise BenchError(f"the listener left nothing:\n{self._listener.last_lines()}")
        noted = json.loads(file.read_text(encoding="utf-8"))
        return {
            topic: [entry for entry in entries if entry[0] >= first]
            for topic, entries in noted.items()
        }

    def _on_status(self, status: Any) -> None:
        self._memory.note(status.images_processed, self._node.pid)

    def _drained(self) -> bool:
        status = self._camera.status
        done = status.images_processed + status.images_dropped
        return bool(done >= len(self._camera.sent))

    def _gone(self) -> bool:
        return bool(self._stop) or not self._node.running()

    def _wait(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        self._camera.spin_until(lambda: self._gone() or done(), seconds)
        if self._stop:
            raise BenchError("stopped before the end: nothing was measured")
        if not done():
            raise BenchError(f"no {what} within {seconds:g} s" + self._log())

    def _log(self) -> str:
        return f"; the node said:\n{self._node.last_lines()}"
