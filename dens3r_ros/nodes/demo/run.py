# SPDX-License-Identifier: Apache-2.0
"""Runs the demo: starts the processes, shows one line while they work, writes what they made."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dens3r_ros.geometry.ply import write_ply
from dens3r_ros.nodes.demo.children import Child
from dens3r_ros.nodes.demo.observer import Observer, cloud_values, image_values, poses_of
from dens3r_ros.nodes.demo.picture import write_overview
from dens3r_ros.nodes.demo.results import summary, write_summary, write_trajectory
from dens3r_ros.nodes.demo.viewer import Viewer
from dens3r_ros.nodes.starting.middleware import tune_this_process
from dens3r_ros.nodes.starting.process import Stop

START_WITHIN_S = 60.0
DRAIN_WITHIN_S = 120.0
SETTLED_WITHIN_S = 20.0
MAP_INTERVAL_S = 1.5


class DemoError(RuntimeError):
    """The demo could not run; the text says which process failed, and how."""


@dataclass(frozen=True)
class DemoOptions:
    """What to play, how to look at it, where results go."""

    source: Path
    output: Path
    config: Path
    engine: str
    model: str
    rate: float
    engine_size: int
    """Long side of images that the network sees; 0 as in `config`."""
    seconds: float
    """Longest time to play; the source may end before."""


def run_demo(
    options: DemoOptions, show: Callable[[Any, float], None], viewer: Viewer
) -> dict[str, Any]:
    """Play the source through the node; `show` gets each status and the seconds so far."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    tune_this_process()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    stop = Stop(leave_within_s=30.0)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    observer = Observer()
    children: list[Child] = []
    try:
        return _play(options, partial(_show, observer, show, viewer), observer, children, stop)
    finally:
        viewer.close()
        for child in children:
            child.stop()
        observer.destroy_node()
        rclpy.try_shutdown()


def _play(
    options: DemoOptions,
    show: Callable[[float], None],
    observer: Observer,
    children: list[Child],
    stop: Stop,
) -> dict[str, Any]:
    node = _start_node(options)
    children.append(node)
    _spin_until(observer, lambda: observer.status is not None, START_WITHIN_S, children, stop)
    camera = _start_camera(options)
    children.append(camera)
    began = time.monotonic()
    while camera.running() and not stop and _since(began) < options.seconds:
        _spin(observer, 0.2)
        _check(children[:1])
        show(_since(began))
    if camera.running():
        camera.stop()
    else:
        _check_finished(camera)
    while observer.status.images_waiting and not stop:
        moved_on = partial(_waiting_changed, observer, observer.status.images_waiting)
        _spin_until(observer, moved_on, DRAIN_WITHIN_S, children[:1], stop)
        show(_since(began))
    seconds = _since(began)
    _await_map(observer, children[:1], stop)
    return _write(options, observer, seconds)


def _show(
    observer: Observer, show: Callable[[Any, float], None], viewer: Viewer, seconds: float
) -> None:
    show(observer.status, seconds)
    viewer.show(observer)


def _start_node(options: DemoOptions) -> Child:
    parameters = {
        "params_file": options.config,
        "engine.name": options.engine,
        "engine.model": options.model,
        **({"engine.size": options.engine_size} if options.engine_size else {}),
    }
    return Child("dens3r_ros.nodes.live", parameters, options.output / "node.log")


def _start_camera(options: DemoOptions) -> Child:
    parameters = {"source": str(options.source), "rate": options.rate}
    return Child("dens3r_ros.nodes.simulated_camera", parameters, options.output / "camera.log")


def _await_map(observer: Observer, children: list[Child], stop: Stop) -> None:
    """Until the map as it now is was published; one that has not changed is not sent again."""
    before, observer.path = observer.path, None
    end = time.monotonic() + SETTLED_WITHIN_S
    while observer.path is None and not stop and time.monotonic() < end:
        _spin(observer, 0.1)
        _check(children)
    observer.path = observer.path or before
    _spin(observer, MAP_INTERVAL_S)


def _since(began: float) -> float:
    return time.monotonic() - began


def _write(options: DemoOptions, observer: Observer, seconds: float) -> dict[str, Any]:
    poses = {} if observer.path is None else poses_of(observer.path)
    values = summary(observer.status, poses, observer.truth, seconds)
    write_summary(options.output / "summary.json", values)
    write_trajectory(options.output / "trajectory.tum", poses)
    if observer.truth:
        write_trajectory(options.output / "ground_truth.tum", observer.truth)
    if observer.cloud is None:
        raise DemoError(f"no map was published; see {options.output / 'node.log'}")
    points, colours = cloud_values(observer.cloud)
    write_ply(options.output / "map.ply", points, colours)
    shown = observer.moments.shown or observer.latest
    images = {name: image_values(message) for name, message in shown.items()}
    title = f"{options.source.stem}: {len(poses)} poses, {len(points):,} map points"
    write_overview(
        options.output / "overview.png", points, colours, poses, observer.truth, images, title
    )
    return values


def _spin(observer: Observer, seconds: float) -> None:
    import rclpy

    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        rclpy.spin_once(observer, timeout_sec=left)


def _waiting_changed(observer: Observer, before: int) -> bool:
    return bool(observer.status.images_waiting != before)


def _spin_until(
    observer: Observer,
    done: Callable[[], bool],
    seconds: float,
    children: list[Child],
    stop: Stop,
) -> None:
    end = time.monotonic() + seconds
    while not done() and not stop and time.monotonic() < end:
        _spin(observer, 0.1)
        _check(children)
    if not done() and not stop:
        raise DemoError(f"nothing came within {seconds:g} s:\n{children[0].last_lines()}")


def _check(children: list[Child]) -> None:
    for child in children:
        if not child.running():
            raise DemoError(f"{child.module} ended ({child.log}):\n{child.last_lines()}")


def _check_finished(camera: Child) -> None:
    if camera.stop() != 0:
        raise DemoError(f"the camera failed ({camera.log}):\n{camera.last_lines()}")
