# SPDX-License-Identifier: Apache-2.0
"""The colcon build: what it depends on, and the environment that uses its result."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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


def prepare_sources(root: Path) -> Path:
    """A workspace's `src` within build/.

    The checkout is linked into it, since CMake refuses to export a package whose source folder
    holds the headers it uses: NumPy's lie in `.venv`.
    """
    sources = root / "build" / "src"
    sources.mkdir(parents=True, exist_ok=True)
    link = sources / "dens3r_ros"
    if not link.is_symlink():
        link.symlink_to("../..")
    return sources


@contextmanager
def unfinished_build(root: Path) -> Iterator[None]:
    """Start over after an interrupted build, which may have left anything half written."""
    mark = root / "build" / "unfinished"
    if mark.exists():
        for built in ("dens3r_ros", "tf2_msgs"):
            shutil.rmtree(root / "build" / built, ignore_errors=True)
        shutil.rmtree(root / "install", ignore_errors=True)
    mark.touch()
    yield
    mark.unlink()


def environment_lines(root: Path, world: World) -> str:
    """`VARIABLE=folder` lines for scripts/activate to put in front, the last one foremost."""
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
