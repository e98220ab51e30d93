# SPDX-License-Identifier: Apache-2.0
"""If these fail, `ros2 launch` stops at an argument or a parameter that does not exist."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from dens3r_ros.nodes.settings.config import NodeConfig, parameter_table, with_values
from dens3r_ros.nodes.settings.validation import problems, unknown_names
from dens3r_ros.nodes.starting.camera_search import image_topics
from dens3r_ros.nodes.starting.launching import (
    COMMON,
    PROFILES,
    camera_topics,
    misspelt,
    named_cameras,
    number,
    truth,
)

ROOT = Path(__file__).parents[3]
LAUNCH_FILES = sorted((ROOT / "launch").glob("*.launch.py"))
READ = re.compile(r'values(?:\[|, )"(\w+)"')
SHARED = (ROOT / "dens3r_ros" / "nodes" / "starting" / "launching.py").read_text()


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
    read = set(READ.findall(source + SHARED))
    read |= set(re.findall(r'"engine\.\w+": "(\w+)"', SHARED))
    assert set(declared) <= read, set(declared) - read
    assert set(READ.findall(source)) <= set(declared)
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
    sources = (ROOT / "dens3r_ros" / "nodes").rglob("*_outputs.py")
    text = "".join(path.read_text() for path in sources)
    for topic in topics:
        assert f'{topic.removeprefix("dens3r/")}"' in text, topic


def test_a_misspelt_argument_is_told_with_the_one_that_was_meant() -> None:
    given = ["imgae", "image", "of_a_launch_file_above"]
    assert misspelt(given, ["image", "namespace"]) == [
        "there is no argument 'imgae'; did you mean 'image'?"
    ]


def test_cameras_are_found_by_type_and_our_own_maps_are_none() -> None:
    image, compressed = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
    graph = {
        "/front/image_raw": [image],
        "/front/image_raw/compressed": [compressed],
        "/phone/image/compressed": [compressed],
        "/front/camera_info": ["sensor_msgs/msg/CameraInfo"],
        "/robot/dens3r/status": ["dens3r_ros/msg/Status"],
        "/robot/dens3r/depth/image": [image],
    }
    assert image_topics(graph) == ["/front/image_raw", "/phone/image/compressed"]


@pytest.mark.parametrize(
    ("image", "heard", "info"),
    [
        ("/front/image_raw", "image", "/front/camera_info"),
        ("/front/image_raw/compressed", "image/compressed", "/front/camera_info"),
        ("image_raw", "image", "camera_info"),
    ],
)
def test_an_image_topic_is_heard_as_what_it_is(image: str, heard: str, info: str) -> None:
    remappings, parameters = camera_topics(image, "")
    assert remappings[heard] == image and remappings["camera_info"] == info
    compressed = {"input.transport": "compressed"} if "compressed" in image else {}
    assert parameters == compressed


def test_cameras_named_in_a_parameter_file_are_not_looked_for(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    values = {"profile": "cpu", "params_file": ""}
    assert named_cameras(values) == []
    file.write_text("/**: {ros__parameters: {input: {cameras: [front, rear]}}}")
    assert named_cameras(values | {"params_file": str(file)}) == ["front", "rear"]


def test_values_that_cannot_be_meant_are_refused() -> None:
    assert truth({"rviz": "False"}, "rviz") is False and number({"rate": "2"}, "rate") == 2
    with pytest.raises(RuntimeError, match="exact:=maybe is neither true nor false"):
        truth({"exact": "maybe"}, "exact")
    with pytest.raises(RuntimeError, match="rate:=fast is no number"):
        number({"rate": "fast"}, "rate")
