# SPDX-License-Identifier: Apache-2.0
"""The colcon build: what it depends on, and the environment that uses its result."""

from __future__ import annotations

import shutil
from pathlib import Path

from ros_setup.steps import file_digest
from ros_setup.world import World

INSTALLED = ("dens3r_ros", "launch", "config", "rviz", "models", "scripts")


def build_inputs(root: Path) -> tuple[str, ...]:
    """Contents of what is compiled, and the names of what is only linked into install/."""
    compiled = [root / "package.xml", root / "CMakeLists.txt"]
    compiled += [*(root / "msg").glob("*.msg"), *(root / "srv").glob("*.srv")]
    names = sorted(
        str(path.relative_to(root))
        for folder in INSTALLED
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    return (file_digest(compiled), "\n".join(names))


def clear_build(root: Path) -> None:
    """An interrupted build may have left anything: start over, it takes seconds."""
    for name in ("build", "install"):
        shutil.rmtree(root / name, ignore_errors=True)


def environment_lines(root: Path, world: World) -> str:
    """`VARIABLE=folder` lines that scripts/activate puts in front, the last line ending foremost."""
    lines = []
    prefixes = [p for p in sorted((root / "install").iterdir()) if (p / "share").is_dir()]
    if not world.sourced:
        prefixes.insert(0, root / ".venv")
    for prefix in prefixes:
        lines += [f"{name}={prefix}" for name in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH")]
        lines += [f"LD_LIBRARY_PATH={prefix / 'lib'}"]
        if prefix.name != ".venv":
            folders = ("lib/python3*/site-packages", "local/lib/python3*/dist-packages")
            lines += [f"PYTHONPATH={path}" for glob in folders for path in prefix.glob(glob)]
    libraries = (root / ".venv" / "lib").glob("python3*/site-packages/ros_*.libs")
    lines += [f"LD_LIBRARY_PATH={path}" for path in libraries]
    # The checkout comes first, so that a module written a moment ago is the one that is imported.
    return "\n".join([*lines, f"PYTHONPATH={root}"]) + "\n"
