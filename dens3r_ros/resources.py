# SPDX-License-Identifier: Apache-2.0
"""Where the files that ship beside the code lie."""

from __future__ import annotations

from pathlib import Path


def resource_dir(name: str) -> Path:
    """The folder `name` (models, config, ...) of this installation."""
    return Path(__file__).parents[1] / name
