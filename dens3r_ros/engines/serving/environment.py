# SPDX-License-Identifier: Apache-2.0
"""Which Python runs the server: Triton's wants NumPy 1, this one may have another."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

VARIABLE = "DENS3R_SERVER_VENV"
_BESIDE = ".venv-server"


def server_python() -> Path | None:
    """The interpreter that has nvidia-pytriton: this one, that of the environment which
    DENS3R_SERVER_VENV names, or of `.venv-server` beside this checkout; None where there is none.
    """
    if importlib.util.find_spec("pytriton") is not None:
        return Path(sys.executable)
    checkout = Path(__file__).resolve().parents[3]
    for folder in (os.environ.get(VARIABLE, ""), str(checkout / _BESIDE)):
        python = Path(folder) / "bin" / "python"
        if folder and python.is_file():
            return python
    return None


def environment_for(python: Path) -> dict[str, str]:
    """What that interpreter needs of this process: the same code of ours, nothing of its
    packages."""
    import dens3r_ros

    found = dict(os.environ)
    if python != Path(sys.executable):
        found["PYTHONPATH"] = str(Path(next(iter(dens3r_ros.__path__))).parent)
        found.pop("VIRTUAL_ENV", None)
    return found
