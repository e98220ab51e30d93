# SPDX-License-Identifier: Apache-2.0
"""The whole state of a run on disk, written so that a kill leaves the old one or the new one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

STATE = "state.pt"


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write the state into the run's folder."""
    partial = folder / f"{STATE}.part"
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / STATE)


def load_state(folder: Path) -> dict[str, Any]:
    """Read the state of a run; raises ValueError where there is none."""
    path = folder / STATE
    if not path.is_file():
        raise ValueError(f"{folder} holds no {STATE} to resume from")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises anything from KeyError to RuntimeError
        raise ValueError(f"{path} cannot be read: {error}") from error
