# SPDX-License-Identifier: Apache-2.0
"""The doctor is what a person runs when nothing works: it must never be what fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dens3r_ros.cli.health import ros, software, storage
from dens3r_ros.cli.health.finding import Finding, Level, load
from dens3r_ros.cli.health.ros import RosAnswer

GOOD = RosAnswer("/opt/ros/jazzy/lib/python3.12/site-packages/rclpy/x", "rmw_fastrtps_cpp", "", {})
NONE = RosAnswer(None, "", "ModuleNotFoundError: No module named 'rclpy'", {})


def doctor(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dens3r_ros.cli", "doctor", *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True
    )


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1
    return findings[0]


def test_json_is_all_there_is_on_standard_output() -> None:
    run = doctor("--json")
    findings = json.loads(run.stdout)
    assert {"name", "level", "found", "fix"} == set(findings[0])
    assert all(f["fix"] for f in findings if f["level"] != "ok")
    assert run.returncode == int(any(f["level"] == "error" for f in findings))


def test_nonsense_in_the_environment_gives_sentences() -> None:
    run = doctor(
        "--json",
        ROS_DISTRO="nonsense",
        RMW_IMPLEMENTATION="rmw_of_nobody",
        ROS_DOMAIN_ID="many",
        HOME="/proc/nowhere",
        XDG_CACHE_HOME="/proc/nowhere/either",
    )
    assert "Traceback" not in run.stderr
    found = {f["name"]: f for f in json.loads(run.stdout)}
    assert "nonsense" in found["ROS 2"]["found"]
    assert found["ROS 2"]["level"] != "ok"
    assert found["disk"]["level"] == "warning"


def test_unknown_distro_is_named_with_the_known_ones() -> None:
    finding = only(ros.look_at_distro(GOOD, {"ROS_DISTRO": "nonsense"}))
    assert finding.level is Level.WARNING
    assert "'nonsense'" in finding.found and "jazzy" in finding.fix


def test_a_ros_too_old_for_the_node_is_an_error() -> None:
    """Without it the node would fail later, over a call that its rclpy lacks."""
    finding = only(ros.look_at_distro(GOOD, {"ROS_DISTRO": "humble"}))
    assert finding.level is Level.ERROR and "Iron" in finding.fix


def test_sourced_ros_says_where_it_comes_from() -> None:
    environment = {"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": "/home/me/ws:/opt/ros/jazzy"}
    finding = only(ros.look_at_distro(GOOD, environment))
    assert finding.level is Level.OK
    assert finding.found == "jazzy, rclpy from /opt/ros/jazzy"


def test_no_ros_is_a_warning_but_a_broken_one_an_error() -> None:
    assert only(ros.look_at_distro(NONE, {})).level is Level.WARNING
    broken = only(ros.look_at_distro(NONE, {"AMENT_PREFIX_PATH": "/opt/ros/jazzy"}))
    assert broken.level is Level.ERROR


@pytest.mark.parametrize(("domain", "errors"), [("", 0), ("42", 0), ("233", 1), ("-1", 1)])
def test_domain_id_is_checked(domain: str, errors: int) -> None:
    findings = ros.look_at_middleware(GOOD, {"ROS_DOMAIN_ID": domain})
    assert sum(f.level is Level.ERROR for f in findings) == errors


@pytest.mark.parametrize(
    ("transport", "profile", "level", "words"),
    [
        ("", "", Level.WARNING, "512 KB"),
        ("", "/no/such.xml", Level.ERROR, "/no/such.xml"),
        ("", __file__, Level.OK, "default"),
        ("DEFAULT", __file__, Level.OK, "default"),
        ("LARGE_DATA", __file__, Level.WARNING, "FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA"),
        ("UDPv4", __file__, Level.WARNING, "FASTDDS_BUILTIN_TRANSPORTS=UDPv4"),
    ],
)
def test_transports_that_lose_messages_or_hide_from_others_are_warned_of(
    transport: str, profile: str, level: Level, words: str
) -> None:
    """With LARGE_DATA a shell sees nothing of a camera that was started without it."""
    environment = {
        "FASTDDS_BUILTIN_TRANSPORTS": transport,
        "FASTDDS_DEFAULT_PROFILES_FILE": profile,
    }
    found = {f.name: f for f in ros.look_at_middleware(GOOD, environment)}["Fast DDS transport"]
    assert found.level is level and words in found.found
    assert level is not Level.WARNING or not transport or "unset" in found.fix


def test_own_messages_not_built_is_a_warning_others_missing_an_error() -> None:
    answer = RosAnswer("/x", "", "", {"dens3r_ros": "no", "sensor_msgs": "no"})
    levels = {f.name: f.level for f in ros.look_at_messages(answer)}
    assert levels["dens3r_ros messages"] is Level.WARNING
    assert levels["sensor_msgs"] is Level.ERROR
    assert levels["message packages"] is Level.OK


def test_a_python_that_does_not_answer_is_told() -> None:
    answer = ros.ask_ros(python="/nonexistent/python")
    assert answer.rclpy is None and "does not answer" in answer.problem


def test_a_package_with_a_missing_library_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_there.py").write_text("import ctypes; ctypes.CDLL('libnot_there.so')")
    monkeypatch.syspath_prepend(tmp_path)
    problem = load("half_there")
    assert isinstance(problem, str) and "libnot_there" in problem


def test_cuda_without_a_device_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    torch: Any = SimpleNamespace(
        __version__="2.13.0",
        version=SimpleNamespace(cuda="13.0"),
        cuda=SimpleNamespace(is_available=lambda: False),
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert [f.level for f in software.look_at_torch()] == [Level.OK, Level.WARNING]


def test_damaged_model_is_an_error_with_both_hashes(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"not what was published")
    entry = SimpleNamespace(name="some", sha256="0" * 64)
    finding = storage._model(entry, path)
    assert finding.level is Level.ERROR
    assert "0" * 64 in finding.found and "dens3r models fetch some" in finding.fix
