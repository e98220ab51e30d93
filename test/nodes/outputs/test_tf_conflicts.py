# SPDX-License-Identifier: Apache-2.0
"""If these fail, somebody whose robot has a TF tree is told to set what does not help."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from dens3r_ros.nodes.outputs.tf_conflicts import advice, owned
from dens3r_ros.nodes.settings.config import FrameParameters, NodeConfig, with_values


@pytest.mark.parametrize(
    ("child", "above", "expected"),
    [
        ("optical", ["optical", "head", "base_link"], ["base:=base_link"]),
        (
            "optical",
            ["optical", "base_link", "base_footprint", "odom"],
            ["base:=base_footprint", "tf_mode:=map_to_odom"],
        ),
        ("base_link", ["base_link", "odom", "map"], ["base:=base_link", "map_to_odom"]),
        ("base_link", ["base_link", "base_footprint"], ["base:=base_footprint"]),
        ("base_link", ["base_link", "map"], ["frames.tf_mode to none"]),
        ("odom", ["odom", "earth"], ["frames.prefix"]),
    ],
)
def test_advice_fits_the_tree(child: str, above: list[str], expected: list[str]) -> None:
    told = advice(FrameParameters(), child, above)
    assert all(part in told for part in expected), told


def test_only_what_is_published_can_be_in_conflict() -> None:
    frames = FrameParameters()
    assert owned(frames, "optical") == [("odom", "optical"), ("map", "odom")]
    assert owned(FrameParameters(tf_mode="map_to_odom"), "base") == [("map", "odom")]
    assert owned(FrameParameters(tf_mode="none"), "base") == []


def test_a_prefix_is_put_before_the_nodes_own_names_alone() -> None:
    given = {"frames.prefix": "robot1/", "frames.base": "base_link"}
    frames = with_values(NodeConfig(), given).in_tree().frames
    assert (frames.map, frames.odom, frames.base) == (
        "robot1/map",
        "robot1/odom",
        "robot1/base_link",
    )
    assert with_values(NodeConfig(), {"frames.prefix": "a/"}).in_tree().frames.base == ""
