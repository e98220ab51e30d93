# SPDX-License-Identifier: Apache-2.0
"""If these fail, a bag that is not whole passes for one that is, or is found out after minutes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("dens3r_ros.msg", reason="needs the built interfaces")
pytest.importorskip("rosbags", reason="needs rosbags")
from bags import bag, damage
from peer import NODE, WALL

from dens3r_ros.mapping.files.map_reading import read_info

STEPPER = Path(__file__).parents[3] / "scripts" / "dens3r_bag_stepper"


# As launch/replay.launch.py starts the node for exact:=true.
EXACT = ("-p", "input.policy:=every", "-p", "input.qos:=reliable", "-p", "map.allow_anywhere:=true")


def step(path: Path, seconds: float = 60, **parameters: str) -> tuple[int, str]:
    """(exit code, what was said); no node has to be there where the bag is refused."""
    words = [f"{name}:={value}" for name, value in {"bag": str(path), **parameters}.items()]
    command = [sys.executable, str(STEPPER), "--ros-args"]
    command += [word for text in words for word in ("-p", text)]
    run = subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=seconds)
    return run.returncode, run.stdout + run.stderr


def nothing(path: Path) -> Path:
    path.mkdir()
    return path


def without_metadata(path: Path) -> Path:
    (bag(path) / "metadata.yaml").unlink()
    return path


def with_binary_metadata(path: Path) -> Path:
    (bag(path) / "metadata.yaml").write_bytes(b"\x00\xff: {")
    return path


def cut_short(path: Path) -> Path:
    file = next(bag(path).glob("*.mcap"))
    file.write_bytes(file.read_bytes()[:5000])
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path, "does not exist"),
        (nothing, "ros2 bag reindex"),
        (without_metadata, "ros2 bag reindex"),
        (with_binary_metadata, "cannot be read"),
        (cut_short, "cannot be read"),
        (lambda path: bag(path, images=0), "is empty"),
        (lambda path: bag(path, info_type="std_msgs/msg/String"), "is std_msgs/msg/String, not"),
    ],
)
def test_a_bag_that_cannot_be_played_is_refused_before_the_node_is_there(
    make: Callable[[Path], Path], words: str, tmp_path: Path
) -> None:
    code, said = step(make(tmp_path / "a_bag"))
    errors = [line for line in said.splitlines() if "[ERROR]" in line]
    assert code == 1 and "Traceback" not in said
    assert len(errors) == 1 and words in errors[0] and "a_bag" in errors[0], said


@pytest.mark.parametrize("named", ["{}/no folder/a.map", "~nobody-is-called-so/a.map", "{}"])
def test_a_map_that_cannot_be_saved_is_told_before_the_node_is_there(
    named: str, tmp_path: Path
) -> None:
    code, said = step(bag(tmp_path / "a_bag"), save_map=named.format(tmp_path))
    assert code == 1 and "Traceback" not in said
    assert "save_map" in said and said.count("[ERROR]") == 1


def test_a_whole_bag_becomes_a_map(start: Any, tmp_path: Path) -> None:
    start(NODE, *WALL, *EXACT)
    code, said = step(bag(tmp_path / "a_bag"), 120, save_map=str(tmp_path / "a.map"))
    assert code == 0 and "12 images stepped through" in said, said
    assert read_info(tmp_path / "a.map").frames > 5


def test_a_bag_that_is_damaged_in_the_middle_is_told_and_its_beginning_kept(
    start: Any, tmp_path: Path
) -> None:
    start(NODE, *WALL, *EXACT)
    path = damage(bag(tmp_path / "a_bag", images=40))
    code, said = step(path, 120, save_map=str(tmp_path / "a.map"))
    assert code == 1 and "of 80 messages could be read" in said, said
    assert "Traceback" not in said
    assert read_info(tmp_path / "a.map").frames > 3
