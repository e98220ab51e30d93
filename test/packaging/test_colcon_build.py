# SPDX-License-Identifier: Apache-2.0
"""The ROS way in is `colcon build` in a workspace; if it breaks, no robot gets this package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Kept between runs: the second build of the same sources takes two seconds instead of twenty.
WORKSPACE = ROOT / "build" / "test-workspace"
OURS = (str(ROOT / "install"), str(ROOT))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("colcon") is None, reason="colcon is not installed"),
    pytest.mark.skipif("AMENT_PREFIX_PATH" not in os.environ, reason="no ROS 2 in this shell"),
]


def underlay() -> dict[str, str]:
    """This environment without the checkout's own build, as in a fresh workspace."""
    environment = dict(os.environ)
    for name in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "PYTHONPATH", "LD_LIBRARY_PATH"):
        parts = environment.get(name, "").split(os.pathsep)
        kept = [p for p in parts if p and p != OURS[1] and not p.startswith(OURS[0])]
        environment[name] = os.pathsep.join(kept)
    return environment


@pytest.fixture(scope="module", params=["plain", "symlink"])
def install(request: pytest.FixtureRequest) -> Path:
    """The install folder of `colcon build`, without and with --symlink-install."""
    source = WORKSPACE / "src" / "dens3r_ros"
    source.parent.mkdir(parents=True, exist_ok=True)
    if not source.is_symlink():
        source.symlink_to(ROOT)
    base = WORKSPACE / request.param
    command = ["colcon", "--log-base", str(base / "log"), "build", "--base-paths", "src"]
    command += ["--build-base", str(base / "build"), "--install-base", str(base / "install")]
    command += ["--symlink-install"] if request.param == "symlink" else []
    command += ["--event-handlers", "console_direct+", "--cmake-args"]
    command += [f"-DPython3_EXECUTABLE={sys.executable}"]
    run = subprocess.run(command, cwd=WORKSPACE, env=underlay(), capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    return base / "install"


def sourced(install: Path, command: str) -> str:
    """What a command prints in a shell that sourced the workspace, away from the checkout."""
    script = f"source '{install}/setup.bash' && cd / && {command}"
    run = subprocess.run(["bash", "-c", script], env=underlay(), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_code_and_messages_are_one_package(install: Path) -> None:
    code = "import dens3r_ros.frame as f, dens3r_ros.msg as m, dens3r_ros.srv; "
    code += "m.Status.__class__.__import_type_support__(); print(f.__file__, m.__file__)"
    frame, messages = sourced(install, f'python3 -c "{code}"').split()
    assert Path(frame).is_relative_to(install)
    assert Path(messages).is_relative_to(install)


def test_programs_run(install: Path) -> None:
    program = install / "dens3r_ros/lib/dens3r_ros/dens3r"
    assert "doctor" in sourced(install, f"'{program}' --help")


def test_package_is_in_the_ament_index(install: Path) -> None:
    index = install / "dens3r_ros/share/ament_index/resource_index/packages/dens3r_ros"
    assert index.is_file()


@pytest.mark.parametrize("folder", ["launch", "config", "rviz", "models"])
def test_folder_is_installed_whole(install: Path, folder: str) -> None:
    if not (ROOT / folder).is_dir():
        pytest.skip(f"there is no {folder}/ yet")
    shared = install / "dens3r_ros/share/dens3r_ros" / folder
    wanted = {p.relative_to(ROOT / folder) for p in (ROOT / folder).rglob("*.*") if p.is_file()}
    found = {path.relative_to(shared) for path in shared.rglob("*") if path.is_file()}
    assert {p for p in wanted if p.suffix != ".pyc"} <= found


def test_data_files_are_found(install: Path) -> None:
    code = "from dens3r_ros.resources import resource_dir; print(resource_dir('models'))"
    models = Path(sourced(install, f'python3 -c "{code}"').strip())
    shared = install / "dens3r_ros/share/dens3r_ros/models"
    assert models == (ROOT / "models" if "symlink" in install.parts else shared)
