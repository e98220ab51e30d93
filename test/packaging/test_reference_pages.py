# SPDX-License-Identifier: Apache-2.0
"""Whoever looks a parameter up reads what it was, not what it is, if the reference goes stale."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_reference_pages_are_what_the_code_says() -> None:
    """`python docs/tools/reference.py` writes them anew."""
    command = [sys.executable, str(ROOT / "docs/tools/reference.py"), "--check"]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
