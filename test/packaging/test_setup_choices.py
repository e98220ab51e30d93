# SPDX-License-Identifier: Apache-2.0
"""Setup decides once which ROS and which Python; a wrong choice costs a person an afternoon."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ros_setup import main
from ros_setup.checks import (
    GIB,
    Interpreter,
    check_compiler,
    check_disk,
    check_platform,
    choose_python,
)
from ros_setup.commands import explain
from ros_setup.problem import SetupProblem
from ros_setup.venv import OURS
from ros_setup.world import World, other_checkouts, outside, sourced_world

ROOT = Path("/home/me/dens3r_ros")
SOURCED = {"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": "/opt/ros/jazzy"}


def test_own_activated_environment_is_not_taken_for_a_sourced_ros() -> None:
    activated = {
        "PATH": f"{ROOT}/.venv/bin:/usr/bin",
        "VIRTUAL_ENV": f"{ROOT}/.venv",
        "AMENT_PREFIX_PATH": f"{ROOT}/install/dens3r_ros:{ROOT}/.venv",
        "PYTHONPATH": f"{ROOT}:/mine",
        "ROS_DISTRO": "kilted",
    }
    cleaned = outside(activated, ROOT)
    assert cleaned == {"PATH": "/usr/bin", "PYTHONPATH": "/mine", "ROS_DISTRO": "kilted"}
    assert sourced_world(cleaned, ["python3"], lambda *_: True) is None


def test_a_neighbouring_checkout_is_left_alone() -> None:
    environment = {"PATH": f"{ROOT}2/bin:/usr/bin", "PYTHONPATH": "/home/me"}
    assert outside(environment, ROOT) == environment


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another checkout that was set up, with a Python of its own."""
    checkout = tmp_path / "other"
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / OURS).write_text("ROS 2 Kilted from PyPI")
    python = checkout / ".venv" / "bin" / "python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return checkout


def activated(checkout: Path) -> dict[str, str]:
    return {
        "PATH": f"{checkout}/.venv/bin:/usr/bin:/bin",
        "VIRTUAL_ENV": f"{checkout}/.venv",
        "AMENT_PREFIX_PATH": f"{checkout}/install/dens3r_ros:{checkout}/.venv",
        "CMAKE_PREFIX_PATH": f"{checkout}/.venv",
        "PYTHONPATH": f"{checkout}:/mine",
        "ROS_DISTRO": "kilted",
    }


def test_another_activated_checkout_is_not_taken_for_a_sourced_ros(
    other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its .venv imports rclpy, but nothing can be built on it: setup failed after minutes."""
    monkeypatch.setattr(main, "ROOT", tmp_path / "own")
    seen: list[World] = []

    class Planned(Exception):
        pass

    def plan(root: Path, world: World, environment: dict[str, str], pip_args: str) -> None:
        seen.append(world)
        assert str(other) not in " ".join(environment.values())
        raise Planned

    monkeypatch.setattr(main, "Plan", plan)
    with pytest.raises(Planned):
        main._set_up(activated(other) | {"PYTHON": ""})
    assert not seen[0].sourced and not seen[0].python.startswith(str(other))


def test_only_checkouts_that_setup_made_are_left_aside(
    other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert other_checkouts(activated(other), tmp_path / "own") == [other]
    assert other_checkouts(activated(other), other) == []
    relative = {"PYTHONPATH": "scripts"}  # as the Makefile has it
    monkeypatch.chdir(other)
    assert other_checkouts(relative, other) == []
    mine = tmp_path / "workspace"
    (mine / ".venv" / "bin").mkdir(parents=True)
    assert other_checkouts(activated(mine) | SOURCED, tmp_path / "own") == []
    inside = other / "worktrees" / "own"
    assert other_checkouts(activated(inside), inside) == []


def test_a_ros_sourced_below_another_checkout_stays(other: Path, tmp_path: Path) -> None:
    environment = activated(other)
    environment["AMENT_PREFIX_PATH"] += ":/opt/ros/jazzy"
    environment["ROS_DISTRO"] = "jazzy"
    cleaned = outside(environment, other_checkouts(environment, tmp_path / "own")[0])
    world = sourced_world(cleaned, ["python3"], lambda *_: True)
    assert world == World("jazzy", "python3")


def test_ros_distro_alone_proves_nothing() -> None:
    assert sourced_world({"ROS_DISTRO": "nonsense"}, ["python3"], lambda *_: True) is None


def test_sourced_ros_uses_the_python_that_imports_rclpy() -> None:
    pythons = ["python3", "/usr/bin/python3"]
    world = sourced_world(SOURCED, pythons, lambda python, _: python == "/usr/bin/python3")
    assert world == World("jazzy", "/usr/bin/python3")


def test_sourced_ros_that_no_python_imports_is_explained() -> None:
    with pytest.raises(SetupProblem, match=r"jazzy is sourced.*python3.*PYTHON=/usr/bin/python3"):
        sourced_world(SOURCED, ["python3"], lambda *_: False)


def pythons(**versions: tuple[int, int]) -> dict[str, Interpreter]:
    names = {name.replace("_", "."): version for name, version in versions.items()}
    return {name: Interpreter(f"/usr/bin/{name}", v, "/inc") for name, v in names.items()}


def test_first_fitting_python_is_taken() -> None:
    here = pythons(python3=(3, 10), python3_13=(3, 13))
    assert choose_python(None, here.get).path == "/usr/bin/python3.13"


@pytest.mark.parametrize(
    ("here", "words"),
    [
        (pythons(python3=(3, 10)), "too old: /usr/bin/python3 is 3.10"),
        (pythons(python3=(3, 15)), "too new: /usr/bin/python3 is 3.15"),
        ({}, "No Python was found"),
    ],
)
def test_unfit_python_is_named_with_the_fix(here: dict[str, Interpreter], words: str) -> None:
    with pytest.raises(SetupProblem) as problem:
        choose_python(None, here.get)
    assert words in str(problem.value)
    assert "make setup PYTHON=python3.12" in str(problem.value)


def test_python_asked_for_is_not_replaced() -> None:
    here = pythons(python3=(3, 12), python3_9=(3, 9))
    with pytest.raises(SetupProblem, match="too old"):
        choose_python("python3.9", here.get)


@pytest.mark.parametrize(
    ("machine", "system", "glibc"),
    [("aarch64", "Linux", "2.39"), ("arm64", "Darwin", ""), ("x86_64", "Linux", "2.17")],
)
def test_platform_without_wheels_is_told_to_source_ros(
    machine: str, system: str, glibc: str
) -> None:
    with pytest.raises(SetupProblem, match=f"{system} {machine}.*source it"):
        check_platform(machine, system, glibc)


def test_disk_is_refused_warned_of_or_enough(tmp_path: Path) -> None:
    with pytest.raises(SetupProblem, match=r"1\.0 GiB are free.*2\.5 GiB.*8 GiB"):
        check_disk(tmp_path, "", GIB)
    assert "4.0 GiB are free" in str(check_disk(tmp_path, "", 4 * GIB))
    assert check_disk(tmp_path, "--index-url https://host/whl/cpu", 4 * GIB) is None
    assert check_disk(tmp_path, "", 9 * GIB) is None


def test_missing_compiler_and_headers_are_told(tmp_path: Path) -> None:
    with pytest.raises(SetupProblem, match=r"No C compiler.*build-essential"):
        check_compiler({"PATH": str(tmp_path)}, str(tmp_path))
    for name in ("cc", "c++"):
        (tmp_path / name).touch(mode=0o755)
    with pytest.raises(SetupProblem, match=r"Python\.h is not there.*python3-dev"):
        check_compiler({"PATH": str(tmp_path)}, str(tmp_path))
    (tmp_path / "Python.h").touch()
    check_compiler({"PATH": str(tmp_path)}, str(tmp_path))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("ERROR: [Errno 28] No space left on device", "disk became full"),
        ("WARNING: Retrying ... NewConnectionError('...')", "index could not be reached"),
        ("ERROR: Could not find catkin-pkg==1.1.1 (from versions: none)", "index could not be"),
        ("The virtual environment was not created: ensurepip is not", "python3-venv"),
        ("error: something else", "something else"),
    ],
)
def test_failure_of_a_tool_becomes_a_paragraph(said: str, words: str, tmp_path: Path) -> None:
    problem = explain(["pip", "install"], 1, ["before", said], tmp_path / "setup.log")
    assert words in str(problem)
    assert "make setup" in str(problem)
