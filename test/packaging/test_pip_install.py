# SPDX-License-Identifier: Apache-2.0
"""Who has no ROS, or no checkout, installs with pip: the command, the data files and every core
module must be there, and a bare environment must get a sentence."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_SOURCES = (".venv*", ".git", "build", "install", "log", "*.egg-info", ".*_cache", "__pycache__")
BARE = {"PATH": os.defpath, "HOME": "/nonexistent", "LANG": "C.UTF-8"}


class Environment:
    """A virtual environment that holds dens3r_ros and nothing else, until dependencies are lent."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.bin = folder / "bin"
        base = [sys._base_executable, "-m", "venv", "--without-pip", str(folder)]
        subprocess.run(base, check=True, env=BARE)
        self.packages = next(folder.glob("lib/python3*/site-packages"))
        pip = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "install", "-q"]
        subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, env=BARE)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one of its programs, with nothing of this process's environment."""
        program = [str(self.bin / command[0]), *command[1:]]
        return subprocess.run(program, env=BARE, cwd="/", capture_output=True, text=True)

    def lend(self, names: set[str]) -> None:
        """Link distributions that are installed here into this environment, and no others."""
        for name in names:
            for file in importlib.metadata.files(name) or ():
                top = file.parts[0]
                target = self.packages / top
                if top not in ("..", "__pycache__") and not target.exists():
                    target.symlink_to(Path(str(file.locate())).parents[len(file.parts) - 1] / top)


def required(distribution: importlib.metadata.Distribution) -> set[str]:
    """What pip would install with it: the closure of its metadata for this platform."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    waiting = list(distribution.requires or ())
    while waiting:
        requirement = Requirement(waiting.pop())
        key = re.sub(r"[-_.]+", "-", requirement.name).lower()
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if wanted and key not in found:
            found.add(key)
            waiting += importlib.metadata.requires(key) or ()
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*NOT_SOURCES))
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(folder), str(source)], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    return Environment(tmp_path_factory.mktemp("bare") / "venv", wheel)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("filled") / "venv", wheel)
    info = next(environment.packages.glob("dens3r_ros-*.dist-info"))
    environment.lend(required(importlib.metadata.Distribution.at(info)))
    return environment


def test_package_imports_where_nothing_else_is_installed(bare: Environment) -> None:
    run = bare.run("python", "-c", "import dens3r_ros; print(dens3r_ros.__file__)")
    assert str(bare.packages) in run.stdout, run.stderr


def test_command_without_its_packages_says_so(bare: Environment) -> None:
    run = bare.run("dens3r", "--help")
    assert run.returncode == 1
    assert "typer" in run.stderr and "pip install" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("how", ["lines", "json"])
def test_doctor_without_any_package_names_them(bare: Environment, how: str) -> None:
    run = bare.run("dens3r", "doctor", *(["--json"] if how == "json" else []))
    assert run.returncode == 1
    assert "Traceback" not in run.stderr + run.stdout
    if how == "json":
        errors = {line["name"] for line in json.loads(run.stdout) if line["level"] == "error"}
        assert {"PyTorch", "OpenCV", "numpy", "typer", "rich"} <= errors
    else:
        assert re.search(r"^error +PyTorch: .*\n +-> \S", run.stdout, re.MULTILINE)


def test_command_works_with_the_declared_dependencies_alone(filled: Environment) -> None:
    run = filled.run("dens3r", "--help")
    assert run.returncode == 0, run.stderr
    assert "doctor" in run.stdout


def test_data_files_are_found(filled: Environment) -> None:
    folders = [name for name in ("models", "config") if (ROOT / name).is_dir()]
    code = "from dens3r_ros.resources import resource_dir as d; import sys; "
    code += "[print(d(name)) for name in sys.argv[1:]]"
    run = filled.run("python", "-c", code, *folders)
    found = dict(zip(folders, map(Path, run.stdout.split()), strict=True))
    for name, installed in found.items():
        assert filled.packages in installed.parents
        here = {p.relative_to(ROOT / name) for p in (ROOT / name).rglob("*.*") if p.is_file()}
        there = {p.relative_to(installed) for p in installed.rglob("*") if p.is_file()}
        assert here == there


IMPORT_ALL = """
import importlib, pkgutil, sys, dens3r_ros
names = [m.name for m in pkgutil.walk_packages(dens3r_ros.__path__, "dens3r_ros.")
         if ".nodes" not in m.name and not m.name.endswith("__main__")]
faults = []
for name in names:
    try:
        importlib.import_module(name)
    except ImportError as problem:
        faults.append(f"{name}: {problem}")
print(len(names), "modules", *faults, sep="\\n")
sys.exit(bool(faults))
"""


def test_every_core_module_imports_without_ros_and_without_extras(filled: Environment) -> None:
    assert filled.run("python", "-c", "import rclpy").returncode != 0
    run = filled.run("python", "-c", IMPORT_ALL)
    assert run.returncode == 0, run.stdout + run.stderr


def test_version_of_the_wheel_is_the_repositorys(wheel: Path) -> None:
    stated = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert stated and wheel.name.startswith(f"dens3r_ros-{stated[1]}-")
