# SPDX-License-Identifier: Apache-2.0
"""Setup that was interrupted must go on by itself; else people delete things until it works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ros_setup.problem import SetupProblem
from ros_setup.steps import Step, is_done, keys, only_one, run_steps
from ros_setup.venv import claim, discard_broken_packages, made_for
from ros_setup.wheels import mend

ROOT = Path(__file__).parents[2]


def steps(folder: Path, done: list[str], second_input: str = "b") -> list[Step]:
    return [
        Step("one", folder / "one", ("a",), lambda: done.append("one")),
        Step("two", folder / "two", (second_input,), lambda: done.append("two")),
        Step("three", folder / "three", (), lambda: done.append("three")),
    ]


def test_second_run_does_nothing(tmp_path: Path) -> None:
    done: list[str] = []
    assert run_steps(steps(tmp_path, done))
    assert not run_steps(steps(tmp_path, done))
    assert done == ["one", "two", "three"]


def test_changed_input_redoes_its_step_and_those_after(tmp_path: Path) -> None:
    done: list[str] = []
    run_steps(steps(tmp_path, []))
    run_steps(steps(tmp_path, done, second_input="changed"))
    assert done == ["two", "three"]


def test_step_that_fails_is_not_done(tmp_path: Path) -> None:
    def fail() -> None:
        raise SetupProblem("No network.", "Mend it.")

    plan = [Step("one", tmp_path / "one", (), fail)]
    with pytest.raises(SetupProblem):
        run_steps(plan)
    assert not is_done(plan[0], keys(plan)[0])


def test_lock_outlives_a_killed_parent_in_its_children(tmp_path: Path) -> None:
    """pip goes on when make is killed; the next setup must wait for it, not race it."""
    code = (
        "import subprocess, sys, time; from pathlib import Path; "
        "from ros_setup.steps import only_one\n"
        "with only_one(Path(sys.argv[1])):\n"
        "    child = subprocess.Popen(['sleep', '1.5'], close_fds=False)\n"
        "    print(child.pid, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        with only_one(tmp_path):
            assert not Path(f"/proc/{child}/cmdline").exists() or _is_zombie(child)


def _is_zombie(process: int) -> bool:
    return Path(f"/proc/{process}/cmdline").read_bytes() == b""


def test_half_made_venv_of_ours_is_made_again(tmp_path: Path) -> None:
    venv = tmp_path / ".venv"
    claim(venv, "world")
    (venv / "lib").mkdir()
    claim(venv, "world")
    assert made_for(venv) == "world"
    assert not (venv / "lib").exists()
    assert not (tmp_path / ".venv-discarded").exists()


def test_kill_between_folder_and_mark_is_recognised(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    claim(tmp_path / ".venv", "world")
    assert made_for(tmp_path / ".venv") == "world"


@pytest.mark.parametrize(("program", "words"), [(True, "has a Python"), (False, "half made")])
def test_venv_of_somebody_else_is_not_touched(tmp_path: Path, program: bool, words: str) -> None:
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    if program:
        (venv / "bin" / "python").touch()
    with pytest.raises(SetupProblem, match=f"{words}.*rm -r .venv"):
        claim(venv, "world")
    assert (venv / "bin").exists()


def install(packages: Path, name: str, *files: str) -> Path:
    info = packages / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").touch()
    for file in files:
        (packages / file).touch()
    record = "".join(f"{file},,\n" for file in (*files, f"{info.name}/METADATA"))
    (info / "RECORD").write_text(record)
    return info


def test_what_pip_left_half_done_is_forgotten(tmp_path: Path) -> None:
    whole = install(tmp_path, "whole", "whole.py")
    install(tmp_path, "unrecorded", "unrecorded.py").joinpath("RECORD").unlink()
    install(tmp_path, "gutted", "gutted.py")
    (tmp_path / "gutted.py").unlink()
    (tmp_path / "~emoved").mkdir()
    broken = discard_broken_packages(tmp_path)
    assert sorted(broken) == ["gutted-1.0.dist-info", "unrecorded-1.0.dist-info"]
    assert whole.exists()
    assert not (tmp_path / "~emoved").exists()


def test_build_machines_paths_are_replaced_once(tmp_path: Path) -> None:
    path = tmp_path / "share" / "std_msgs" / "cmake" / "export.cmake"
    path.parent.mkdir(parents=True)
    base = "/opt/python/cp312-cp312"
    path.write_text(
        f'"{base}/include/python3.12;{base}/lib/python3.12/site-packages/numpy/_core/include;/x"'
    )
    assert mend(tmp_path, "/usr/include/python3.12", "/venv/numpy/include") == 1
    assert path.read_text() == '"/usr/include/python3.12;/venv/numpy/include;/x"'
    assert mend(tmp_path, "/usr/include/python3.12", "/venv/numpy/include") == 0
