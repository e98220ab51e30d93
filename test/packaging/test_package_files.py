# SPDX-License-Identifier: Apache-2.0
"""A file that does not parse is found by a user at launch time; an interface field without a unit
is guessed at by whoever watches the fleet."""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
INTERFACES = sorted([*ROOT.glob("msg/*.msg"), *ROOT.glob("srv/*.srv")])
YAML = sorted(
    path
    for pattern in ("config/**/*.yaml", "models/*.yaml", "rviz/*.rviz", ".pre-commit-config.yaml")
    for path in ROOT.glob(pattern)
)


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_yaml_parses(path: Path) -> None:
    assert yaml.safe_load(path.read_text()) is not None


@pytest.mark.parametrize("path", sorted(ROOT.glob("launch/*.py")), ids=lambda path: path.name)
def test_launch_file_parses(path: Path) -> None:
    assert "generate_launch_description" in {
        node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("path", INTERFACES, ids=lambda path: path.name)
def test_every_field_is_explained(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line and line != "---"]
    fields = [line for line in lines if not line.startswith("#")]
    assert fields
    assert [line for line in fields if not re.search(r"\S\s+# \S", line)] == []


def test_package_xml_is_what_ros_tools_accept() -> None:
    """An invalid maintainer or a missing group would silently demote the package in colcon."""
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    maintainer = package.find("maintainer")
    assert maintainer is not None
    assert re.fullmatch(r"[\w.+-]+@[\w-]+\.[\w.-]+", maintainer.attrib["email"])
    assert package.findtext("member_of_group") == "rosidl_interface_packages"
    assert package.findtext("export/build_type") == "ament_cmake"
    assert package.findtext("license") == "Apache-2.0"


def test_catkin_pkg_validates_package_xml() -> None:
    catkin_pkg = pytest.importorskip("catkin_pkg.package")
    warnings: list[str] = []
    catkin_pkg.parse_package(str(ROOT), warnings=warnings)
    assert warnings == []


def test_every_source_file_names_its_licence() -> None:
    folders = ("dens3r_ros", "scripts", "test", "launch", "msg", "srv")
    files = [p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in SOURCES]
    unnamed = [p for p in files if "SPDX-License-Identifier: Apache-2.0" not in p.read_text()[:200]]
    assert unnamed == []


SOURCES = (".py", ".msg", ".srv")


def test_what_the_launch_files_start_is_installed_with_the_package() -> None:
    """rosdep would leave out the player of bags and RViz else."""
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    needed = {element.text for element in package.findall("exec_depend")}
    assert needed >= {"ros2bag", "rviz2"}
