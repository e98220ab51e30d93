# SPDX-License-Identifier: Apache-2.0
"""If these fail, a reader no longer sees from a listing what belongs together, or loses the thread
in a file that holds several ideas."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 300
MOST_MODULES = 15
MODULES = sorted(p for top in ("dens3r_ros", "scripts", "test") for p in (ROOT / top).rglob("*.py"))


@pytest.mark.parametrize("top", ["dens3r_ros", "scripts", "test"])
def test_modules_are_short(top: str) -> None:
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in MODULES
        if ROOT / top in path.parents
    }
    assert {path: lines for path, lines in sizes.items() if lines > MOST_LINES} == {}


def test_folders_are_small() -> None:
    counts = Counter(path.parent for path in MODULES if path.stem != "__init__")
    large = {str(folder.relative_to(ROOT)): n for folder, n in counts.items() if n > MOST_MODULES}
    assert large == {}
