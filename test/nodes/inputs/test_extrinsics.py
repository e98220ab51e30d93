# SPDX-License-Identifier: Apache-2.0
"""If these fail, a further camera is put where it is not, or never put where TF says it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from dens3r_ros.nodes.inputs import extrinsics
from dens3r_ros.nodes.inputs.extrinsics import Extrinsics
from dens3r_ros.nodes.messages.transforms import TransformUnknown, held_frames
from dens3r_ros.nodes.settings.config import NodeConfig, with_values

CAMERAS = ("left", "right")


class Tree:
    """TF of which the test decides whether it knows anything yet."""

    known = False

    def __init__(self, node: Any) -> None:
        pass

    def matrix(self, parent: str, child: str, stamp: int) -> np.ndarray:
        if not self.known:
            raise TransformUnknown("not yet")
        T = np.eye(4)
        T[0, 3] = 0.2 if (parent, child) == ("left_optical", "right_optical") else np.nan
        return T


def made(**values: Any) -> Extrinsics:
    config = with_values(NodeConfig(), {"input.cameras": CAMERAS, **values})
    node: Any = None
    return Extrinsics(node, config)


def test_a_further_camera_is_placed_as_soon_as_tf_knows_it(monkeypatch: Any) -> None:
    monkeypatch.setattr(extrinsics, "TransformLookup", Tree)
    places = made()
    places.place("right", "right_optical", 1)
    places.place("left", "left_optical", 1)
    with pytest.raises(TransformUnknown):
        places.place("right", "right_optical", 1)
    assert not places.of_others
    monkeypatch.setattr(Tree, "known", True)
    places.place("right", "right_optical", 2)
    assert places.of_others["right"][0, 3] == 0.2


def test_cameras_of_one_frame_are_not_taken_to_be_one(monkeypatch: Any) -> None:
    monkeypatch.setattr(extrinsics, "TransformLookup", Tree)
    places = made()
    places.place("left", "optical", 1)
    with pytest.raises(TransformUnknown, match="optical"):
        places.place("right", "optical", 1)


def test_numbers_given_are_not_asked_for(monkeypatch: Any) -> None:
    monkeypatch.setattr(extrinsics, "TransformLookup", None)
    places = made(**{"input.extrinsics": (0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)})
    places.place("left", "left_optical", 1)
    places.place("right", "right_optical", 1)
    assert places.of_others["right"][0, 3] == 0.5


def test_what_tf_holds_is_told_in_one_line() -> None:
    told = "Frame odom exists with parent map.\nFrame base exists with parent odom.\n"
    assert held_frames(told) == "map -> odom, odom -> base"
    assert held_frames("") == "nothing"
