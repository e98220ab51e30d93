# SPDX-License-Identifier: Apache-2.0
"""If these fail, an impossible configuration starts a node that then does something else."""

import pytest

from dens3r_ros.nodes.settings.config import NodeConfig, parameter_table, with_values
from dens3r_ros.nodes.settings.validation import problems, unknown_names


def test_the_defaults_are_possible() -> None:
    assert problems(NodeConfig()) == []


def test_every_parameter_says_what_it_is() -> None:
    for name, _, rule in parameter_table(NodeConfig()):
        assert len(rule.description) > 8, name


MOUNTED = (0.0,) * 6 + (1.0,)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"input.policy": "newest"}, "latest, every"),
        ({"output.map_rate": 0.0}, "below"),
        ({"output.map_voxel": float("nan")}, "output.map_voxel"),
        ({"output.min_range": 3.0, "output.max_range": 2.0}, "max_range"),
        ({"frames.map": "odom"}, "both 'odom'"),
        ({"input.cameras": ("front", "front"), "input.extrinsics": MOUNTED}, "once"),
        ({"input.cameras": ("front", ""), "input.extrinsics": MOUNTED}, "need a name"),
        ({"frames.base_from_camera": (1.0, 2.0)}, "7 numbers"),
        ({"frames.base_from_camera": (0.0,) * 7}, "quaternion of length 0"),
        ({"mapping.level": "base", "frames.base": "base_link"}, "frames.base_from_camera"),
        ({"input.cameras": ("a", "rear"), "input.extrinsics": (0.0,) * 6}, "for each of ['rear']"),
        ({"input.scale_from": "tf"}, "map_to_odom or none"),
        ({"engine.name": "tensorflow"}, "none of"),
        ({"engine.name": "no_such_module:make"}, "no module"),
    ],
)
def test_what_cannot_work_is_named(values: dict, named: str) -> None:
    found = problems(with_values(NodeConfig(), values))
    assert len(found) == 1 and named in found[0]


def test_a_misspelt_parameter_is_met_with_the_right_one() -> None:
    sentences = unknown_names(["output.max_rnage", "engine.name"], NodeConfig())
    assert len(sentences) == 1 and "output.max_range" in sentences[0]
