# SPDX-License-Identifier: Apache-2.0
"""Where files that were fetched or built are kept for the next time."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/dens3r`, or `~/.cache/dens3r`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG rules say that relative paths are to be ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return root / "dens3r"


def model_cache() -> Path:
    """Where fetched weights lie."""
    return cache_dir() / "models"
