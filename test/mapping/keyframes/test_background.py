# SPDX-License-Identifier: Apache-2.0
"""Without these, one keyframe holds up one frame for half a second, or work waits for ever."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import GraphConfig, KeyframeConfig, MapperConfig
from dens3r_ros.mapping.keyframes.background import BackgroundWork
from dens3r_ros.mapping.mapper import Mapper


def work(name: str, pieces: int, done: list[str]) -> Iterator[None]:
    for _ in range(pieces):
        done.append(name)
        yield
    done.append(f"end of {name}")


def test_one_work_takes_a_piece_a_frame() -> None:
    done: list[str] = []
    background = BackgroundWork()
    background.do_share()
    background.add(work("a", 2, done))
    seen = []
    for _ in range(3):
        background.do_share()
        seen.append(len(done))
    assert seen == [1, 2, 3]
    assert done[-1] == "end of a"
    assert not len(background)


def test_works_that_pile_up_are_done_faster_and_in_their_order() -> None:
    done: list[str] = []
    background = BackgroundWork()
    for _ in range(200):
        background.add(work("a", 12, done))
        background.do_share()
        assert len(background) < 10
    background.add(work("last", 1, done))
    background.do_all()
    assert done[-1] == "end of last"
    assert done.count("end of a") == 200


def test_working_between_frames_changes_no_result(walk) -> None:
    config = MapperConfig(
        graph=GraphConfig(child_process=False), keyframes=KeyframeConfig(min_matched=0.8)
    )
    runs = []
    for between in (False, True):
        mapper = Mapper(OracleEngine(walk, long_side=160), config)
        for index in range(14):
            mapper.step(walk[index])
            if between:
                mapper.catch_up()
                mapper.catch_up()
        mapper.finish()
        runs.append(np.array([pose.T_map_camera for pose in mapper.trajectory()]))
    assert np.array_equal(*runs)
