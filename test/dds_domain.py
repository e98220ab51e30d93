# SPDX-License-Identifier: Apache-2.0
"""DDS domains that tests which run beside each other, here or in another checkout, do not share."""

from __future__ import annotations

import os
import zlib


def domain_for(name: str) -> int:
    """A domain in 1..100 for a test module; processes of one test run never take the same."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    return 1 + 10 * ((os.getppid() + zlib.crc32(name.encode())) % 10) + worker % 10
