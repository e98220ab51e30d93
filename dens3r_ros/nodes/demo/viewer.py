# SPDX-License-Identifier: Apache-2.0
"""A window on the demo while it runs, where there is a screen: RViz, else rerun."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dens3r_ros.resources import resource_dir


class Viewer(Protocol):
    """Something that shows what the observer hears."""

    name: str

    def show(self, observer: Any) -> None:
        """Show what is new."""

    def close(self) -> None:
        """Let go of the window."""


class NoViewer:
    """Where there is no screen, or nothing to show things with."""

    name = ""

    def show(self, observer: Any) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class RvizViewer:
    """RViz in a process of its own, which subscribes itself."""

    name = "RViz"

    def __init__(self, log: Path) -> None:
        config = resource_dir("rviz") / "live.rviz"
        with log.open("w") as output:
            self._process = subprocess.Popen(
                ["rviz2", "-d", str(config)],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def show(self, observer: Any) -> None:
        """RViz listens by itself."""

    def close(self) -> None:
        """End it: what it shows comes from a node that ends too."""
        self._process.terminate()
        self._process.wait()


class RerunViewer:
    """rerun's viewer, which stays open; with `recording` a file of it instead of a window."""

    name = "rerun"

    def __init__(self, recording: Path | None = None) -> None:
        import rerun

        self._rerun = rerun
        self._shown: dict[str, Any] = {}
        rerun.init("dens3r demo", spawn=recording is None)
        if recording is not None:
            rerun.save(recording)
        rerun.log("map", rerun.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)

    def show(self, observer: Any) -> None:
        """Log each message that came since the last call."""
        from dens3r_ros.nodes.demo.observer import cloud_values, image_values, poses_of

        rerun = self._rerun
        for name in ("image", "depth", "normals"):
            if self._is_new(name, observer.latest.get(name)):
                values = image_values(observer.latest[name])
                kind = rerun.DepthImage if name == "depth" else rerun.Image
                rerun.log(f"camera/{name}", kind(np.nan_to_num(values)))
        if self._is_new("cloud", observer.cloud):
            points, colours = cloud_values(observer.cloud)
            rerun.log("map/points", rerun.Points3D(points, colors=colours))
        if self._is_new("path", observer.path):
            poses = poses_of(observer.path)
            places = [poses[stamp][:3, 3] for stamp in sorted(poses)]
            rerun.log("map/path", rerun.LineStrips3D([places]))

    def close(self) -> None:
        """Hand over what is still buffered."""
        self._rerun.disconnect()

    def _is_new(self, name: str, message: Any) -> bool:
        new = message is not None and message is not self._shown.get(name)
        self._shown[name] = message
        return new


def open_viewer(environment: Mapping[str, str], log: Path) -> Viewer:
    """What there is to look at the demo with."""
    if not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        return NoViewer()
    if shutil.which("rviz2", path=environment.get("PATH", os.defpath)):
        return RvizViewer(log)
    if importlib.util.find_spec("rerun") is not None:
        return RerunViewer()
    return NoViewer()
