# SPDX-License-Identifier: Apache-2.0
"""Shared memory that killed processes left behind: Fast DDS never takes it away by itself."""

from __future__ import annotations

import fcntl
import os
import re
import time
from pathlib import Path

_SEGMENT = re.compile(r"fastdds_[0-9a-f]{16}")
_SETTLED_S = 30.0
"""A younger segment may be one that is just being made."""


def free_abandoned_segments(folder: Path = Path("/dev/shm")) -> int:
    """Remove Fast DDS's segments of this user that no process holds any more; how many that were.

    Whoever uses a segment holds a lock on the file beside it, which ends with the process.
    """
    if not folder.is_dir():
        return 0
    segments = [path for path in folder.iterdir() if _SEGMENT.fullmatch(path.name)]
    return sum(_freed(path) for path in segments)


def _freed(segment: Path) -> bool:
    lock = segment.with_name(segment.name + "_el")
    try:
        about = segment.stat()
        if about.st_uid != os.getuid() or time.time() - about.st_mtime < _SETTLED_S:
            return False
        with lock.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            segment.unlink()
            lock.unlink()
    except OSError:
        return False
    return True
