# SPDX-License-Identifier: Apache-2.0
"""Whoever evaluates or trains without ROS is lost if one import pulls ROS in; whoever reads the
code is lost if packages, or folders within one, import each other in circles."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Callable, Iterator
from functools import cache
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

# What each package may not import; those above come later in the chain of docs/how/architecture.md.
ABOVE = ("cli", "nodes", "mapping", "engines", "network")
BESIDE = ("scenes", "training", "evaluation", "reconstruction", "viewer")
FORBIDDEN = {
    "frame": {*ABOVE, *BESIDE, "sources", "model_store"},
    "imu": {*ABOVE, *BESIDE, "sources", "model_store", "frame"},
    "image_header": {*ABOVE, *BESIDE, "sources", "model_store"},
    "geometry": {*ABOVE, *BESIDE, "sources", "model_store", "splats"},
    "splats": {*ABOVE, *BESIDE, "sources", "model_store"},
    "network": {"cli", "nodes", "mapping", "engines", *BESIDE},
    "engines": {"cli", "nodes", "mapping", *BESIDE},
    "mapping": {"cli", "nodes", *BESIDE},
    "sources": {*ABOVE, "training", "evaluation", "reconstruction"},  # opens the walks of scenes
    "reconstruction": {"cli", "nodes", "scenes", "training", "evaluation", "viewer"},
    "evaluation": {"cli", "nodes", "viewer"},
    "viewer": {"cli", "nodes", "scenes", "training", "evaluation"},
    "scenes": {*ABOVE, "sources", "training", "evaluation", "reconstruction"},
    "training": {"cli", "nodes"},
    "nodes": {"cli", "training", "reconstruction", "viewer"},
}

# Folders within a package, from below upwards: each imports only those before it. Folders that are
# not named here, and the modules beside the folders, only must not import each other in circles.
FOLDERS = {
    "mapping": (
        "motion",
        "tracking",
        "graph",
        "history",
        "keyframes",
        "places",
        "archive",
        "files",
        "submaps",
        "front_end",
        "localising",
    ),
    "nodes": ("messages", "bags", "settings", "inputs", "answers", "outputs"),
    "scenes": ("looks", "rays", "worlds", "moving"),
    "evaluation": ("oracle", "metrics", "image_pairs", "image_sequences", "moving", "serving"),
    "training": ("losses", "optimization", "data", "validation"),
    "engines": (
        "cpu",
        "geometric",
        "views",
        "onnx",
        "remote",
        "serving",
        "splatting",
        "family",
        "relative",
        "moving",
        "bench",
    ),
    "reconstruction": (
        "outputs",
        "kept",
        "refinement",
        "report",
        "sparse",
        "photos",
        "bridging",
        "pipeline",
    ),
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def package_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name_of(path: Path) -> str:
    parts = ("dens3r_ros", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide which way the arrow goes"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


NAMES = {name_of(path) for path in MODULES}


@cache
def own_imports() -> list[tuple[str, str]]:
    """Every module of ours with each one that it imports."""
    found = []
    for path in MODULES:
        for name in imported(ast.parse(path.read_text())):
            module = name if name in NAMES else name.rpartition(".")[0]
            if module in NAMES:
                found.append((name_of(path), module))
    return found


def arrows(place: Callable[[str], str]) -> dict[str, set[str]]:
    """Which place imports which others, given the place of a module."""
    found: dict[str, set[str]] = {}
    for module, other in own_imports():
        if place(module) != place(other):
            found.setdefault(place(module), set()).add(place(other))
    return found


def folder(module: str) -> str:
    """`dens3r_ros.mapping.graph` of all in it; modules beside the folders stand for themselves."""
    return ".".join(module.split(".")[:3])


def is_ros(name: str) -> bool:
    top = name.split(".")[0]
    own = name.startswith(("dens3r_ros.msg", "dens3r_ros.srv"))
    return top in ROS or top.endswith(("_msgs", "_srvs")) or top == "builtin_interfaces" or own


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if package_of(p) != "nodes"],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_only_nodes_import_ros(path: Path) -> None:
    assert [name for name in imported(ast.parse(path.read_text())) if is_ros(name)] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_go_one_way(path: Path) -> None:
    packages = {
        name.split(".")[1]
        for name in imported(ast.parse(path.read_text()))
        if name.startswith("dens3r_ros.")
    }
    assert packages & FORBIDDEN.get(package_of(path), set()) == set()


@pytest.mark.parametrize("place", [lambda module: module, folder], ids=["modules", "folders"])
def test_nothing_imports_in_circles(place: Callable[[str], str]) -> None:
    """Whoever changes a folder that imports itself by way of another one changes both."""
    try:
        graphlib.TopologicalSorter(arrows(place)).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


@pytest.mark.parametrize("package", FOLDERS)
def test_folders_import_only_those_below(package: str) -> None:
    order = [f"dens3r_ros.{package}.{name}" for name in FOLDERS[package]]
    assert set(order) <= {folder(name) for name in NAMES}
    for place, others in arrows(folder).items():
        if place in order:
            assert others & set(order[order.index(place) :]) == set(), place


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("nodes/**/*.py")), ids=lambda path: path.name)
def test_nodes_do_not_import_torch_at_module_top(path: Path) -> None:
    """A node process shows its parameters and refuses bad ones before seconds of loading."""
    body = ast.parse(path.read_text()).body
    statements = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [name for statement in statements for name in imported(statement)]
    assert [name for name in names if name.split(".")[0] == "torch"] == []
