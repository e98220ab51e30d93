# SPDX-License-Identifier: Apache-2.0
"""Whether tests of networks of the published sizes fit on this machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

NEEDED_GB = 6.0


def skip_below_need() -> None:
    """Skip the calling test, saying why, where too little memory can be had."""
    match = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    assert match
    available = int(match[1]) / 2**20
    if available < NEEDED_GB:
        pytest.skip(f"{available:.1f} GB of memory available, {NEEDED_GB} needed")
