# SPDX-License-Identifier: Apache-2.0
"""If these fail, an hour of work is lost with a Ctrl-C, or offline runs differ from the node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.files.map_reading import read_map
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.reconstruction.pipeline.checkpoint import CannotResume
from dens3r_ros.reconstruction.pipeline.options import Picks
from dens3r_ros.reconstruction.pipeline.run import NothingMapped
from dens3r_ros.reconstruction.pipeline.stopping import StopRequest
from dens3r_ros.reconstruction.pipeline.taking import Picker


class Killed(Exception):
    """As if the process had gone."""


def after(count: int, then: Any) -> Any:
    """A watcher that does something once it has seen so many frames."""
    seen = []

    def watch(frame: Any, update: Any, mapper: Any) -> None:
        seen.append(frame.stamp)
        if len(seen) == count:
            then()

    return watch


def test_live_is_the_mapper_and_nothing_else(
    walk: Any, reconstruct: Any, mapper_settings: Any, tmp_path: Path
) -> None:
    reconstruct(walk, tmp_path / "live", live=True)
    with Mapper(OracleEngine(walk, long_side=160, metric=True), mapper_settings) as mapper:
        for index in range(len(walk)):
            mapper.step(walk[index])
        mapper.catch_up()
        mapper.save(tmp_path / "mapper.map")
    ours, theirs = read_map(tmp_path / "live" / "scene.map"), read_map(tmp_path / "mapper.map")
    assert [r.stamp for r in ours.records] == [r.stamp for r in theirs.records]
    for one, other in zip(ours.records, theirs.records, strict=True):
        assert np.array_equal(one.T_keyframe_frame, other.T_keyframe_frame)
    assert ours.poses.keys() == theirs.poses.keys()
    for i in ours.poses:
        assert np.array_equal(ours.poses[i], theirs.poses[i])
    for a, b in zip(ours.keyframes, theirs.keyframes, strict=True):
        assert np.array_equal(a.stored.depth, b.stored.depth) and a.stored.jpeg == b.stored.jpeg


def test_ctrl_c_leaves_whole_results_of_the_images_so_far(
    walk: Any, reconstruct: Any, tmp_path: Path
) -> None:
    stop = StopRequest()

    def ask() -> None:
        stop.asked += 1

    finished = reconstruct(walk, tmp_path, stop=stop, watchers=(after(10, ask),))
    assert len(finished.scene.trajectory) == 10
    assert {"cloud.ply", "report.html"} <= set(finished.written.files)


def test_a_run_that_was_killed_goes_on(
    walk: Any, reconstruct: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dens3r_ros.reconstruction.pipeline import checkpoint

    monkeypatch.setattr(checkpoint, "_EVERY_S", 0.0)
    monkeypatch.setattr(checkpoint, "_SHARE", 0.0)

    def die() -> None:
        raise Killed

    with pytest.raises(Killed):
        reconstruct(walk, tmp_path, watchers=(after(14, die),))
    seen: list[int] = []

    def count(frame: Any, update: Any, mapper: Any) -> None:
        seen.append(frame.stamp)

    finished = reconstruct(walk, tmp_path, resume=True, watchers=(count,))
    assert len(seen) <= len(walk) - 13, "images that were done are not done again"
    assert len(finished.scene.trajectory) == len(walk)
    assert finished.tally.taken == len(walk)


def test_a_run_goes_on_only_as_it_was_begun(
    walk: Any, reconstruct: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dens3r_ros.reconstruction.pipeline import checkpoint

    monkeypatch.setattr(checkpoint, "_EVERY_S", 0.0)
    monkeypatch.setattr(checkpoint, "_SHARE", 0.0)

    def die() -> None:
        raise Killed

    with pytest.raises(Killed):
        reconstruct(walk, tmp_path, watchers=(after(6, die),))
    with pytest.raises(CannotResume, match="picks"):
        reconstruct(walk, tmp_path, resume=True, picks=Picks(every=2))


def test_images_without_motion_are_told_so(
    box_room: Any, camera_pose: Any, reconstruct: Any, tmp_path: Path
) -> None:
    from dens3r_ros.engines.geometric.engine import GeometricEngine

    still = box_room(np.array([camera_pose(0, 0, 0)] * 4))
    with pytest.raises(NothingMapped, match="none of 4 images found a place"):
        reconstruct(still, tmp_path, engine=GeometricEngine())


def picked(
    picks: Picks, stamps: list[float], first: int = 0, origin: int | None = None
) -> list[int]:
    picker = Picker(picks, first, origin)
    taken = []
    for index, seconds in enumerate(stamps):
        if picker.by_index(index) and picker.by_stamp(round(5e9 + seconds * 1e9)):
            taken.append(index)
    return taken


def test_which_images_are_taken() -> None:
    stamps = [n / 10 for n in range(30)]
    assert picked(Picks(), stamps) == list(range(30))
    assert picked(Picks(every=7), stamps) == [0, 7, 14, 21, 28]
    assert picked(Picks(start=1.0, end=1.25), stamps) == [10, 11, 12]
    assert picked(Picks(fps=2), stamps) == [0, 5, 10, 15, 20, 25]
    assert picked(Picks(), stamps, first=27, origin=5_000_000_000) == [27, 28, 29]
    uneven = [0, 0.01, 0.02, 0.5, 0.52, 1.0, 1.7, 2.0]
    assert picked(Picks(fps=2), uneven) == [0, 3, 5, 6, 7]
