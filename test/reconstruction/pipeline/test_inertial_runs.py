# SPDX-License-Identifier: Apache-2.0
"""If this fails, the inertial sensor of a recording is read and never used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dens3r_ros.sources.opening import open_source


def test_what_an_inertial_sensor_told_stands_in_the_runs_notes(
    reconstruct: Any, tmp_path: Path
) -> None:
    walk = open_source("procedural:walk?seed=5&frames=12&size=160x120&imu=1")
    finished = reconstruct(walk, tmp_path, live=True)
    assert any("imu" in note for note in finished.tally.notes)
    bare = open_source("procedural:walk?seed=5&frames=12&size=160x120")
    finished = reconstruct(bare, tmp_path / "bare", live=True)
    assert not any("imu" in note for note in finished.tally.notes)
