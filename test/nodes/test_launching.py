# SPDX-License-Identifier: Apache-2.0
"""If these fail, `ros2 launch` stops at an argument or a parameter that does not exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from dens3r_ros.nodes.config import NodeConfig, parameter_table, with_values
from dens3r_ros.nodes.launching import COMMON, PROFILES, misspelt
from dens3r_ros.nodes.validation import problems, unknown_names

ROOT = Path(__file__).parents[2]
LAUNCH_FILES = sorted((ROOT / "launch").glob("*.launch.py"))
SHARED = (ROOT / "dens3r_ros" / "nodes" / "launching.py").read_text()


def own_arguments(source: str) -> dict[str, tuple[str, str]]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "OWN":
            return ast.literal_eval(node.value)
    return {}


def flat(parameters: dict, prefix: str = "") -> dict:
    found = {}
    for key, value in parameters.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = tuple(value) if isinstance(value, list) else value
    return found


def profile(name: str) -> dict:
    content = yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text())
    return flat(content["/**"]["ros__parameters"])


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)
def test_every_argument_is_described_and_used(path: Path) -> None:
    source = path.read_text()
    declared = {**COMMON, **own_arguments(source)}
    read = set(re.findall(r'values\["(\w+)"\]', source + SHARED))
    read |= set(re.findall(r'"engine\.\w+": "(\w+)"', SHARED))
    assert set(declared) <= read, set(declared) - read
    assert set(re.findall(r'values\["(\w+)"\]', source)) <= set(declared)
    for name, (default, description) in declared.items():
        assert isinstance(default, str) and len(description) > 8, name


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)
def test_every_parameter_named_exists(path: Path) -> None:
    named = re.findall(
        r'"((?:engine|input|frames|mapping|output)\.\w+)"', path.read_text() + SHARED
    )
    assert unknown_names(named, NodeConfig()) == []


def test_the_default_file_equals_the_code() -> None:
    assert profile("default") == {name: value for name, value, _ in parameter_table(NodeConfig())}


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_is_possible(name: str) -> None:
    values = profile(name)
    assert unknown_names(values, NodeConfig()) == []
    assert problems(with_values(NodeConfig(), values)) == []


@pytest.mark.parametrize("name", ["live", "replay"])
def test_rviz_shows_topics_that_the_node_publishes(name: str) -> None:
    content = yaml.safe_load((ROOT / "rviz" / f"{name}.rviz").read_text())
    displays = content["Visualization Manager"]["Displays"]
    topics = {d["Topic"]["Value"] for d in displays if "Topic" in d}
    sources = (ROOT / "dens3r_ros" / "nodes").glob("*_outputs.py")
    text = "".join(path.read_text() for path in sources)
    for topic in topics:
        assert f'{topic.removeprefix("dens3r/")}"' in text, topic


def test_a_misspelt_argument_is_told_with_the_one_that_was_meant() -> None:
    given = ["imgae", "image", "of_a_launch_file_above"]
    assert misspelt(given, ["image", "namespace"]) == [
        "there is no argument 'imgae'; did you mean 'image'?"
    ]
