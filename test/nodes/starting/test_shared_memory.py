# SPDX-License-Identifier: Apache-2.0
"""If these fail, killed nodes fill a container's shared memory, or living ones lose theirs."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from dens3r_ros.nodes.starting.shared_memory import free_abandoned_segments


def segment(folder: Path, number: int, age_s: float = 100.0) -> Path:
    path = folder / f"fastdds_{number:016x}"
    path.write_bytes(b"x")
    path.with_name(path.name + "_el").touch()
    then = path.stat().st_mtime - age_s
    os.utime(path, (then, then))
    return path


def test_only_what_nobody_holds_is_removed(tmp_path: Path) -> None:
    abandoned, held = segment(tmp_path, 1), segment(tmp_path, 2)
    young, foreign = segment(tmp_path, 3, age_s=0.0), tmp_path / "another_file"
    foreign.touch()
    with held.with_name(held.name + "_el").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert free_abandoned_segments(tmp_path) == 1
    assert not abandoned.exists() and held.exists() and young.exists() and foreign.exists()


def test_no_shared_memory_is_no_fault(tmp_path: Path) -> None:
    assert free_abandoned_segments(tmp_path / "none") == 0
