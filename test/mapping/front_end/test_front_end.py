# SPDX-License-Identifier: Apache-2.0
"""Frames between decodings: if these fail, a robot on a small computer gets a pose now and then, or
none, or another one at every replay."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from covered import CoveredOracle

from dens3r_ros.evaluation.metrics.trajectory import TrajectoryErrors, compare
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import DecodingConfig, GraphConfig, MapperConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Tracking, Update

SLOW = MapperConfig(decoding=DecodingConfig(3, 2), graph=GraphConfig(child_process=False))


def oracle(source, **options) -> OracleEngine:
    return OracleEngine(source, long_side=160, **options)


def mapped(source, config=SLOW) -> tuple[list[Update], Mapper]:
    with Mapper(oracle(source), config) as mapper:
        updates = [mapper.step(source[i]) for i in range(len(source))]
        mapper.finish()
    return updates, mapper


def errors(source, mapper: Mapper) -> TrajectoryErrors:
    index_of = {source[i].stamp: i for i in range(len(source))}
    placed = mapper.trajectory()
    stamps = np.array([pose.stamp for pose in placed]) * 1e-9
    truth = np.array([source.truth(index_of[pose.stamp]).T_world_camera for pose in placed])
    return compare(stamps, np.array([pose.T_map_camera for pose in placed]), truth)


@pytest.fixture(scope="module")
def stroll(box_room, camera_pose):
    """A walk in small steps, as a camera takes that brings many images a second."""
    return box_room(
        np.array(
            [camera_pose(0.02 * n, 0.2 * np.sin(0.1 * n), 0.01 * n - 2, 1.2 * n) for n in range(48)]
        ),
        (168, 240),
    )


@pytest.fixture(scope="module")
def strolled(stroll) -> tuple[list[Update], Mapper]:
    return mapped(stroll)


def test_every_frame_is_placed_though_few_are_decoded(stroll, strolled) -> None:
    updates, mapper = strolled
    begun = next(n for n, u in enumerate(updates) if u.state is Tracking.TRACKING)
    assert begun <= 3
    assert all(update.state is Tracking.TRACKING for update in updates[begun:])
    counters = updates[-1].counters
    assert counters.frames == len(stroll)
    assert counters.decoded <= len(stroll) / 3
    assert counters.keyframes > 1
    found = errors(stroll, mapper)
    assert found.errors.size == len(stroll), "frames before the first keyframe are placed late"
    assert found.ate_sim3_m < 0.04


def test_what_was_told_when_a_frame_came_is_as_good(stroll, strolled) -> None:
    updates, _ = strolled
    told = [(n, u.T_map_camera) for n, u in enumerate(updates) if u.T_map_camera is not None]
    truth = np.array([stroll.poses[n] for n, _ in told])
    found = compare(np.array([0.1 * n for n, _ in told]), np.array([T for _, T in told]), truth)
    assert found.ate_sim3_m < 0.05


def test_two_runs_give_the_same_to_the_last_bit(stroll, strolled) -> None:
    updates, mapper = strolled
    again, mapper_again = mapped(stroll)
    for one, other in zip(updates, again, strict=True):
        assert one.state is other.state and one.decoded == other.decoded
        for name in ("T_odom_camera", "T_map_camera", "T_map_odom", "covariance"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
    trajectories = [[pose.T_map_camera for pose in m.trajectory()] for m in (mapper, mapper_again)]
    assert np.array_equal(*trajectories)
    clouds = [[view.points for view in m.keyframes()] for m in (mapper, mapper_again)]
    assert all(np.array_equal(a, b) for a, b in zip(*clouds, strict=True))


def test_odom_goes_on_smoothly_over_decodings_and_keyframes(strolled) -> None:
    updates = [update for update in strolled[0] if update.T_odom_camera is not None]
    steps = [
        np.linalg.norm(b.T_odom_camera[:3, 3] - a.T_odom_camera[:3, 3])
        for a, b in pairwise(updates)
    ]
    assert max(steps) < 4 * np.median(steps)
    for update in updates:
        assert update.T_map_odom @ update.T_odom_camera == pytest.approx(update.T_map_camera)


def test_frames_that_were_not_decoded_have_depth_of_their_own_view(stroll, strolled) -> None:
    updates, mapper = strolled
    metres = errors(stroll, mapper).scale
    ratios = []
    for index in (17, 27, 36, 45):
        maps, truth = updates[index].maps.at_input(), stroll.truth(index)
        known = maps.confidence > 1.2
        assert known.mean() > 0.5
        assert not np.any(maps.depth[maps.confidence <= 1]), "what was not seen has no depth"
        ratios.append(maps.depth[known] * metres / updates[index].scale / truth.depth[known])
    assert np.median(np.abs(np.concatenate(ratios) - 1)) < 0.06


def test_a_covered_lens_is_lost_and_found_again(stroll) -> None:
    mapper = Mapper(CoveredOracle(stroll, long_side=160), SLOW)
    updates = []
    for index in range(len(stroll)):
        frame = stroll[index]
        if 30 <= index < 36:
            frame = replace(frame, image=np.zeros_like(frame.image))
        updates.append(mapper.step(frame))
    mapper.finish()
    states = [update.state for update in updates]
    assert states[30] is Tracking.LOST and states[31] is Tracking.RELOCALISING
    assert all(u.T_odom_camera is None and u.reason for u in updates[30:36])
    assert states[42:] == [Tracking.TRACKING] * (len(stroll) - 42)
    jump = np.linalg.norm(updates[-1].T_odom_camera[:3, 3] - updates[29].T_odom_camera[:3, 3])
    assert jump < 1.0, "odom goes on where it was"
    assert errors(stroll, mapper).ate_sim3_m < 0.05


class TrueGyroscope:
    """Knows how the camera turned."""

    def __init__(self, source) -> None:
        self._R = {
            source[i].stamp: source.truth(i).T_world_camera[:3, :3] for i in range(len(source))
        }

    def turn(self, begin: int, end: int) -> np.ndarray | None:
        return self._R[begin].T @ self._R[end]


def test_a_gyroscope_bridges_a_covered_lens_and_doubt_grows(stroll) -> None:
    mapper = Mapper(CoveredOracle(stroll, long_side=160), SLOW, gyroscope=TrueGyroscope(stroll))
    updates = []
    for index in range(len(stroll)):
        frame = stroll[index]
        if 30 <= index < 36:
            frame = replace(frame, image=np.zeros_like(frame.image))
        updates.append(mapper.step(frame))
    mapper.finish()
    bridged = updates[30:36]
    assert all(update.state is Tracking.TRACKING for update in bridged)
    doubts = [float(np.trace(update.covariance)) for update in bridged]
    assert all(before < after for before, after in pairwise(doubts))
    for index in range(31, 36):
        found = updates[30].T_odom_camera[:3, :3].T @ updates[index].T_odom_camera[:3, :3]
        R = [stroll.truth(i).T_world_camera[:3, :3] for i in (30, index)]
        assert np.allclose(found, R[0].T @ R[1], atol=0.01)
    assert updates[-1].state is Tracking.TRACKING
    assert errors(stroll, mapper).ate_sim3_m < 0.08


class Held(OracleEngine):
    """Decodes only while it is let."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.let = threading.Event()

    def decode(self, pairs, outputs):
        assert self.let.wait(60)
        return super().decode(pairs, outputs)


def test_no_frame_waits_for_a_decoding(stroll) -> None:
    engine = Held(stroll, long_side=160)
    engine.let.set()
    with Mapper(engine, replace(SLOW, decoding=DecodingConfig(0))) as mapper:
        mapper.step(stroll[0])
        mapper.finish()
        engine.let.clear()
        updates = [mapper.step(stroll[index]) for index in range(1, 12)]
        read = mapper.between(lambda: len(mapper.keyframes()))
        assert not read.done(), "the map is read between decodings"
        engine.let.set()
        assert read.result() >= 1
        assert all(update.state is Tracking.TRACKING for update in updates)
        assert updates[-1].counters.decoded == 1
        mapper.finish()
        assert len(mapper.trajectory()) == 12


def test_what_fails_after_an_answer_is_heard_of(stroll, monkeypatch) -> None:
    """Links and loops are found then; an error that nobody reads is a map that never closes."""

    with Mapper(OracleEngine(stroll, long_side=160), SLOW) as mapper:
        for index in range(20):
            mapper.step(stroll[index])
        session = mapper._front._session
        working, calls = session.catch_up, []

        def stumbling() -> None:
            calls.append(None)
            # A decoding begins with it, and it comes again after the answer.
            if len(calls) == 2:
                raise RuntimeError("out of memory")
            working()

        monkeypatch.setattr(session, "catch_up", stumbling)
        with pytest.raises(RuntimeError, match="out of memory"):
            for index in range(20, 35):
                failed = index
                mapper.step(stroll[index])
        for index in range(failed + 1, 40):
            update = mapper.step(stroll[index])
        assert update.state is Tracking.TRACKING


def test_an_engine_that_fails_is_heard_of_and_tracking_goes_on(stroll) -> None:
    class Failing(OracleEngine):
        broken = False

        def decode(self, pairs, outputs):
            if self.broken:
                raise RuntimeError("out of memory")
            return super().decode(pairs, outputs)

    engine = Failing(stroll, long_side=160)
    with Mapper(engine, SLOW) as mapper:
        for index in range(20):
            mapper.step(stroll[index])
        engine.broken = True
        with pytest.raises(RuntimeError, match="out of memory"):
            for index in range(20, 30):
                failed = index
                mapper.step(stroll[index])
        engine.broken = False
        for index in range(failed + 1, 40):
            update = mapper.step(stroll[index])
        assert update.state is Tracking.TRACKING
