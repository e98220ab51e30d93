# SPDX-License-Identifier: Apache-2.0
"""Whoever evaluates or trains without ROS is lost if one import pulls ROS in; whoever reads the
code is lost if rooms import each other in circles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "dens3r_ros"
ROS = {
    "rclpy",
    "launch",
    "launch_ros",
    "ament_index_python",
    "tf2_ros",
    "tf2_py",
    "cv_bridge",
    "sensor_msgs_py",
    "tf_transformations",
    "rosidl_runtime_py",
    "rcl_interfaces",
}

# What each room may not import; rooms above come later in the chain of architecture.md.
ABOVE = ("cli", "nodes", "mapping", "engines", "network")
FORBIDDEN = {
    "frame": {*ABOVE, "scenes", "training", "evaluation", "sources", "model_store"},
    "image_header": {*ABOVE, "scenes", "training", "evaluation", "sources", "model_store"},
    "geometry": {*ABOVE, "scenes", "training", "evaluation", "sources", "model_store"},
    "network": {"cli", "nodes", "mapping", "engines", "scenes", "training", "evaluation"},
    "engines": {"cli", "nodes", "mapping", "scenes", "training", "evaluation"},
    "mapping": {"cli", "nodes", "scenes", "training", "evaluation"},
    "sources": {*ABOVE, "training", "evaluation"},  # opens the walks of scenes
    "evaluation": {"cli", "nodes"},
    "scenes": {*ABOVE, "sources", "training", "evaluation"},
    "training": {"cli", "nodes"},
    "nodes": {"cli", "training"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide which way the arrow goes"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_ros(name: str) -> bool:
    top = name.split(".")[0]
    own = name.startswith(("dens3r_ros.msg", "dens3r_ros.srv"))
    return top in ROS or top.endswith(("_msgs", "_srvs")) or top == "builtin_interfaces" or own


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if room_of(p) != "nodes"],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_only_nodes_import_ros(path: Path) -> None:
    assert [name for name in imported(ast.parse(path.read_text())) if is_ros(name)] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_go_one_way(path: Path) -> None:
    rooms = {
        name.split(".")[1]
        for name in imported(ast.parse(path.read_text()))
        if name.startswith("dens3r_ros.")
    }
    assert rooms & FORBIDDEN.get(room_of(path), set()) == set()


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("nodes/**/*.py")), ids=lambda path: path.name)
def test_nodes_do_not_import_torch_at_module_top(path: Path) -> None:
    """A node process shows its parameters and refuses bad ones before seconds of loading."""
    body = ast.parse(path.read_text()).body
    statements = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [name for statement in statements for name in imported(statement)]
    assert [name for name in names if name.split(".")[0] == "torch"] == []
