# SPDX-License-Identifier: Apache-2.0
"""Which ROS 2 is used: the one sourced in the calling shell, or the wheels from PyPI."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ros_setup.problem import SetupProblem
from ros_setup.venv import made_for

PATH_VARIABLES = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH")
OUR_VARIABLES = ("VIRTUAL_ENV", "_ROS_WHEELS_BOOTSTRAP_COMPLETE", "PYTHONHOME")


@dataclass(frozen=True)
class World:
    """`distro` is the sourced distribution, None for wheels; `python` made or will make `.venv`."""

    distro: str | None
    python: str

    @property
    def sourced(self) -> bool:
        """Whether ROS comes from the shell."""
        return self.distro is not None

    @property
    def label(self) -> str:
        """What a `.venv` made for this world is marked with."""
        return self.describe()

    def describe(self) -> str:
        """The world in a few words."""
        return f"ROS 2 {self.distro} as sourced" if self.sourced else "ROS 2 Kilted from PyPI"


def outside(environment: Mapping[str, str], root: Path) -> dict[str, str]:
    """The environment without what `scripts/activate` of this checkout added to it."""
    ours = (str(root / ".venv"), str(root / "install"), str(root))
    cleaned = {name: value for name, value in environment.items() if name not in OUR_VARIABLES}
    for name in PATH_VARIABLES:
        kept = [p for p in cleaned.get(name, "").split(os.pathsep) if p and not _within(p, ours)]
        if kept:
            cleaned[name] = os.pathsep.join(kept)
        else:
            cleaned.pop(name, None)
    return cleaned


def other_checkouts(environment: Mapping[str, str], root: Path) -> list[Path]:
    """Checkouts of this package, not this one, whose `scripts/activate` was sourced in the shell.

    Their `.venv` holds an rclpy and stands in AMENT_PREFIX_PATH, but is no ROS to build on.
    """
    named = [environment.get(name, "") for name in (*PATH_VARIABLES, "VIRTUAL_ENV")]
    entries = [Path(entry) for text in named for entry in text.split(os.pathsep)]
    whole = [entry for entry in entries if entry.is_absolute()]
    found = {checkout for entry in whole if (checkout := _checkout_of(entry, root))}
    return sorted(found - {root})


def _checkout_of(path: Path, root: Path) -> Path | None:
    """The nearest folder above that setup has made a `.venv` in."""
    above = (path, *path.parents)
    return next((p for p in above if p == root or made_for(p / ".venv") is not None), None)


def _within(path: str, ours: Iterable[str]) -> bool:
    return any(path == own or path.startswith(own + os.sep) for own in ours)


def imports_rclpy(python: str, environment: Mapping[str, str]) -> bool:
    """Whether this interpreter imports rclpy in this environment."""
    try:
        run = subprocess.run(
            [python, "-c", "import rclpy"], env=dict(environment), capture_output=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0


def sourced_world(
    environment: Mapping[str, str],
    pythons: Iterable[str],
    can_import: Callable[[str, Mapping[str, str]], bool] = imports_rclpy,
) -> World | None:
    """The sourced ROS of a cleaned environment, or None; ROS_DISTRO alone proves nothing."""
    prefixes = environment.get("AMENT_PREFIX_PATH", "")
    if not prefixes:
        return None
    distro = environment.get("ROS_DISTRO") or "of unknown name"
    tried = list(pythons)
    for python in tried:
        if can_import(python, environment):
            return World(distro, python)
    raise SetupProblem(
        f"ROS 2 {distro} is sourced (AMENT_PREFIX_PATH={prefixes}), but none of "
        f"{', '.join(tried)} can import rclpy.",
        "Name the Python that ROS was built for: make setup PYTHON=/usr/bin/python3 (and install "
        "ros-<distro>-rclpy), or open a shell without ROS to use ROS 2 from PyPI.",
    )
