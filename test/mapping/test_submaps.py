# SPDX-License-Identifier: Apache-2.0
"""A camera that is lost where nobody has been: if these fail, it gives no more odometry from there
on, or what it had mapped is thrown away, or two rooms are laid over each other."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from mapped_walks import INLINE, errors, oracle

from dens3r_ros.mapping.config import DecodingConfig, GraphConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Tracking, Update

BESIDE = GraphConfig(child_process=True)
TRACKED = replace(INLINE, decoding=DecodingConfig(2, 1))


@pytest.fixture(scope="module")
def carried_off(box_room, camera_pose):
    """Along a wall, then at once behind it, where nothing of that is seen, then round to the
    beginning; the camera is carried off after frame 15."""
    here = [camera_pose(0.04 * n - 1, 0, -2, 0.5 * n) for n in range(16)]
    there = [camera_pose(0.02 * n, 0.01 * n, 1 - 0.025 * n, 180 + 3.5 * n) for n in range(76)]
    return box_room(np.array([*here, *there]))


def stepped(source, config) -> tuple[list[Update], Mapper]:
    mapper = Mapper(oracle(source), config)
    updates = [mapper.step(source[index]) for index in range(len(source))]
    mapper.finish()
    return updates, mapper


@pytest.fixture(scope="module", params=[INLINE, TRACKED], ids=["decoded", "tracked"])
def walked(request, carried_off):
    return stepped(carried_off, request.param)


def test_it_begins_another_piece_within_a_second(walked) -> None:
    updates, _ = walked
    lost = [n for n, u in enumerate(updates) if u.state in (Tracking.LOST, Tracking.RELOCALISING)]
    assert lost and lost == list(range(16, 16 + len(lost)))
    assert len(lost) <= 10, "a second at ten images a second"
    after = updates[lost[-1] + 1]
    assert after.state is Tracking.TRACKING
    assert after.epoch == updates[15].epoch + 1
    assert after.piece != updates[15].piece and after.counters.pieces == 2


def test_odom_does_not_jump(walked) -> None:
    updates = [update for update in walked[0] if update.T_odom_camera is not None]
    for one, other in pairwise(updates):
        step = np.linalg.inv(one.T_odom_camera) @ other.T_odom_camera
        assert np.linalg.norm(step[:3, 3]) < 0.35, "of a room of four"
        assert other.T_map_odom @ other.T_odom_camera == pytest.approx(other.T_map_camera)


def test_the_pieces_are_joined_once_one_is_seen_from_the_other(carried_off, walked) -> None:
    updates, mapper = walked
    pieces = [update.counters.pieces for update in updates]
    assert max(pieces) == 2
    assert {view.piece for view in mapper.keyframes()} == {updates[0].piece or 0}
    assert any(0 in view.loop_partners or view.loop_partners for view in mapper.keyframes())
    found = errors(carried_off, mapper)
    assert found.errors.size >= len(carried_off) - 1, "frames of both pieces, and those between"
    assert found.ate_sim3_m < 0.08


def test_what_cannot_be_joined_is_kept_and_saved_apart(carried_off, tmp_path) -> None:
    mapper = Mapper(oracle(carried_off), INLINE)
    for index in range(30):
        mapper.step(carried_off[index])
    mapper.finish()
    views = mapper.keyframes()
    assert len({view.piece for view in views}) == 2
    assert len(mapper.trajectory()) == 30
    mapper.save(tmp_path / "two.map")
    loaded = Mapper(oracle(carried_off), INLINE)
    loaded.load(tmp_path / "two.map")
    assert {v.id: v.piece for v in loaded.keyframes()} == {v.id: v.piece for v in views}
    back = loaded.step(carried_off[12])
    assert back.state is Tracking.TRACKING and back.piece == 0
    for index in range(30, len(carried_off)):
        update = loaded.step(carried_off[index])
    loaded.finish()
    assert update.state is Tracking.TRACKING
    assert len({view.piece for view in loaded.keyframes()}) == 1, "joined by the way walked since"


def test_pieces_are_joined_alike_whether_a_process_of_its_own_solves_or_not(carried_off) -> None:
    runs = [
        stepped(carried_off, replace(INLINE, graph=graph))[1] for graph in (INLINE.graph, BESIDE)
    ]
    for mapper in runs:
        mapper.close()
    one, other = (mapper.keyframe_poses() for mapper in runs)
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[i], other[i]) for i in one)


def test_a_covered_lens_begins_nothing(carried_off) -> None:
    mapper = Mapper(oracle(carried_off), INLINE)
    for index in range(12):
        mapper.step(carried_off[index])
    for index in range(12, 40):
        frame = carried_off[index]
        update = mapper.step(replace(frame, image=np.zeros_like(frame.image)))
        if update.state is not Tracking.TRACKING:
            assert update.counters.pieces == 1
