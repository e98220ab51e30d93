# SPDX-License-Identifier: Apache-2.0
"""What the machine must have, looked at before minutes are spent."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from ros_setup.problem import SetupProblem

OLDEST, NEWEST = (3, 11), (3, 14)
GIB = 1 << 30
NEED_CPU_GIB, NEED_CUDA_GIB = 2.5, 8.0
DISK_NEED = (
    f"The whole takes about {NEED_CPU_GIB:g} GiB with a CPU build of torch and about "
    f"{NEED_CUDA_GIB:g} GiB with a CUDA build, which plain pip picks on Linux"
)
CPU_INDEX = "make setup PIP_ARGS='--extra-index-url https://download.pytorch.org/whl/cpu'"


class Interpreter(NamedTuple):
    """What one Python says of itself."""

    path: str
    version: tuple[int, int]
    include: str


def probe(python: str, environment: Mapping[str, str] | None = None) -> Interpreter | None:
    """Ask a Python for its version and headers; None where it does not run.

    `environment`: whose PATH it is looked for on, this process's own unless given.
    """
    code = "import sys, sysconfig; print(sys.executable); print(*sys.version_info[:2])"
    code += "; print(sysconfig.get_paths()['include'])"
    try:
        run = subprocess.run(
            [python, "-c", code], env=environment, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = run.stdout.splitlines()
    if run.returncode != 0 or len(lines) != 3:
        return None
    major, minor = map(int, lines[1].split())
    return Interpreter(lines[0], (major, minor), lines[2])


def choose_python(
    asked: str | None, look: Callable[[str], Interpreter | None] = probe
) -> Interpreter:
    """The Python asked for, else the first on the PATH that the ROS wheels exist for."""
    names = [asked] if asked else ["python3", *(f"python3.{m}" for m in (12, 13, 11, 14))]
    found = [interpreter for interpreter in map(look, names) if interpreter]
    for interpreter in found:
        if OLDEST <= interpreter.version <= NEWEST:
            return interpreter
    raise _unsuitable(found, names)


def _unsuitable(found: list[Interpreter], names: list[str]) -> SetupProblem:
    span = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
    fix = (
        "Install one of them (Debian, Ubuntu: apt install python3.12 python3.12-venv "
        "python3.12-dev) and run: make setup PYTHON=python3.12. Or source a ROS 2 installation, "
        "which brings its own Python."
    )
    if not found:
        return SetupProblem(f"No Python was found under {', '.join(names)}.", fix)
    seen = ", ".join(f"{i.path} is {i.version[0]}.{i.version[1]}" for i in found)
    old = all(i.version < OLDEST for i in found)
    new = all(i.version > NEWEST for i in found)
    word = "too old" if old else "too new" if new else "not fit"
    return SetupProblem(
        f"Python is {word}: {seen}, but the pinned ROS 2 wheels and what they are used with exist "
        f"for Python {span}.",
        fix,
    )


def check_platform(machine: str = "", system: str = "", glibc: str = "") -> None:
    """The ROS wheels exist for x86-64 Linux with glibc 2.28 or newer."""
    machine, system = machine or platform.machine(), system or platform.system()
    glibc = glibc or platform.libc_ver()[1]
    found = f"This machine is {system} {machine}" + (f" with glibc {glibc}" if glibc else "")
    numbers = tuple(int(part) for part in glibc.split(".")[:2]) if glibc else (0, 0)
    if system == "Linux" and machine == "x86_64" and numbers >= (2, 28):
        return
    raise SetupProblem(
        f"{found}, but ROS 2 from PyPI exists for Linux x86_64 with glibc 2.28 or newer only.",
        "Install ROS 2 (docs.ros.org), source it and run make setup again: then nothing of ROS "
        "comes from PyPI.",
    )


def check_compiler(environment: Mapping[str, str], include: str) -> None:
    """Messages are compiled: a C and a C++ compiler and Python's headers are needed."""
    fix = "Debian, Ubuntu: sudo apt install build-essential python3-dev; then make setup again."
    for variable, names in (("CC", ("cc", "gcc", "clang")), ("CXX", ("c++", "g++", "clang++"))):
        asked = environment.get(variable, "").split()[:1]
        looked = asked or names
        if not any(shutil.which(name, path=environment.get("PATH")) for name in looked):
            raise SetupProblem(
                f"No {'C' if variable == 'CC' else 'C++'} compiler was found (looked for "
                f"{', '.join(looked)}); the ROS messages of this package must be compiled.",
                fix,
            )
    if not os.path.exists(os.path.join(include, "Python.h")):
        raise SetupProblem(f"Python's headers are missing: {include}/Python.h is not there.", fix)


def check_disk(where: Path, pip_args: str, free: int | None = None) -> str | None:
    """Refuse what cannot fit; a warning to print where only a CPU build of torch fits."""
    if free is None:
        free = shutil.disk_usage(where).free
    found = f"{free / GIB:.1f} GiB are free under {where}."
    if free < NEED_CPU_GIB * GIB:
        raise SetupProblem(
            f"Too little disk: {found} {DISK_NEED}.", f"Free some space, then: {CPU_INDEX}"
        )
    if free < NEED_CUDA_GIB * GIB and "cpu" not in pip_args:
        return f"{found} {DISK_NEED}. If it runs out: {CPU_INDEX}"
    return None
