# SPDX-License-Identifier: Apache-2.0
"""Where files are kept for the next time: what can be fetched or built again, and what cannot."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/dens3r`, or `~/.cache/dens3r`."""
    return _xdg("XDG_CACHE_HOME", ".cache") / "dens3r"


def data_dir() -> Path:
    """`$XDG_DATA_HOME/dens3r`, or `~/.local/share/dens3r`."""
    return _xdg("XDG_DATA_HOME", ".local/share") / "dens3r"


def _xdg(variable: str, below_home: str) -> Path:
    base = os.environ.get(variable, "")
    # The XDG rules say that relative paths are to be ignored.
    return Path(base) if os.path.isabs(base) else Path.home() / below_home


def model_cache() -> Path:
    """Where fetched weights lie."""
    return cache_dir() / "models"
