# SPDX-License-Identifier: Apache-2.0
"""Where the files of published numbers lie, beside the repository."""

from __future__ import annotations

from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[4] / "shared" / "fixtures"
ABSENT = f"no files of published numbers in {FIXTURES}"


def files(full_size: bool) -> list[Path]:
    """Those of full-size networks, or all others."""
    found = sorted(p for p in FIXTURES.rglob("*") if p.suffix in (".npz", ".json"))
    return [path for path in found if ("fullsize_recipe" in path.name) == full_size]
