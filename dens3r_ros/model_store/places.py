# SPDX-License-Identifier: Apache-2.0
"""Where files that were fetched or built are kept for the next time."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/dens3r`, or `~/.cache/dens3r`."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def config_dir() -> Path:
    """`$XDG_CONFIG_HOME/dens3r`, or `~/.config/dens3r`: what a person chose."""
    return _xdg("XDG_CONFIG_HOME", ".config")


def _xdg(variable: str, usual: str) -> Path:
    base = os.environ.get(variable, "")
    # The XDG rules say that relative paths are to be ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / usual
    return root / "dens3r"


def model_cache() -> Path:
    """Where fetched weights lie."""
    return cache_dir() / "models"
