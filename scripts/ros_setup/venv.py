# SPDX-License-Identifier: Apache-2.0
"""`.venv`: made, found half made, mended."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

from ros_setup.problem import SetupProblem
from ros_setup.steps import write_atomically

OURS = "made-by-dens3r-setup"


def claim(venv: Path, world: str) -> None:
    """Clear the way for a new `.venv`, never touching one that somebody else made."""
    discarded = venv.with_name(venv.name + "-discarded")
    shutil.rmtree(discarded, ignore_errors=True)
    if venv.exists() and any(venv.iterdir()):
        if not (venv / OURS).exists():
            state = "has a Python" if (venv / "bin" / "python").exists() else "is half made"
            raise SetupProblem(
                f"{venv} {state}, but make setup did not make it.",
                "Move it away or delete it (rm -r .venv), then run make setup again.",
            )
        # Renamed first: a kill while deleting must not leave a folder that looks like another's.
        venv.rename(discarded)
        shutil.rmtree(discarded)
    venv.mkdir(exist_ok=True)
    write_atomically(venv / OURS, world)


def made_for(venv: Path) -> str | None:
    """The world that a venv of ours was made for."""
    try:
        return (venv / OURS).read_text()
    except OSError:
        return None


def site_packages(venv: Path) -> Path:
    """The one folder of packages that a venv has."""
    return next((venv / "lib").glob("python3.*/site-packages"))


def discard_broken_packages(packages: Path) -> list[str]:
    """Forget what an interrupted pip left half installed or half removed, so that it is redone."""
    for leftover in packages.glob("~*"):
        shutil.rmtree(leftover, ignore_errors=True)
    broken = [info for info in packages.glob("*.dist-info") if not _whole(info)]
    for info in broken:
        shutil.rmtree(info)
    return [info.name for info in broken]


def _whole(info: Path) -> bool:
    """pip writes RECORD last; every file it lists must be there."""
    try:
        return all((info.parent / name).exists() for name in _recorded(info))
    except OSError:
        return False


def _recorded(info: Path) -> Iterator[str]:
    with open(info / "RECORD", newline="") as file:
        for row in csv.reader(file):
            if row and not row[0].endswith(".pyc"):
                yield row[0]
