# SPDX-License-Identifier: Apache-2.0
"""Controllers steer by `odom`: if these fail, they meet a jump there and answer with motors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dens3r_ros.evaluation.engines import engine_named
from dens3r_ros.evaluation.metrics.trajectory import compare
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.config import GraphConfig, MapperConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Tracking, Update
from dens3r_ros.sources.opening import open_source

INLINE = MapperConfig(graph=GraphConfig(child_process=False))
HOLOLENS = Path(__file__).parents[4] / "shared" / "data" / "hololens"


class CoveredOracle(OracleEngine):
    """Sees nothing where the image is black, as any network would."""

    def decode(self, pairs: Any, outputs: Any) -> Any:
        prediction = super().decode(pairs, outputs)
        for n, (a, b) in enumerate(pairs):
            if not (a.frame.image.any() and b.frame.image.any()):
                prediction.confidence_a[n] = 1
                prediction.confidence_b[n] = 1
        return prediction


def oracle(source: Any) -> OracleEngine:
    return OracleEngine(source, long_side=160)


def black(frame: Frame) -> Frame:
    return replace(frame, image=np.zeros_like(frame.image))


def steps(updates: list[Update]) -> Iterator[tuple[float, float]]:
    """(length in odom's unit, seconds) from each frame with a place to the next of its epoch."""
    placed = [update for update in updates if update.T_odom_camera is not None]
    for a, b in pairwise(placed):
        if a.epoch == b.epoch:
            motion = np.linalg.inv(a.T_odom_camera) @ b.T_odom_camera
            yield float(np.linalg.norm(motion[:3, 3])), (b.stamp - a.stamp) * 1e-9


def truth_of(source: Any, stamps: list[int]) -> np.ndarray:
    at = {source[n].stamp: n for n in range(len(source))}
    return np.array([source.truth(at[stamp]).T_world_camera for stamp in stamps])


def metres_of_unit(source: Any, mapper: Mapper) -> float:
    placed = mapper.trajectory()
    stamps = [pose.stamp for pose in placed]
    estimated = np.array([pose.T_map_camera for pose in placed])
    return compare(np.array(stamps) * 1e-9, estimated, truth_of(source, stamps)).scale


def consistent(updates: list[Update]) -> bool:
    """Whether `map` to `odom` to the camera is where the map has the camera, in every frame."""
    placed = [u for u in updates if u.T_odom_camera is not None]
    return all(np.allclose(u.T_map_odom @ u.T_odom_camera, u.T_map_camera) for u in placed)


MISHAPS = st.sampled_from(["none"] * 6 + ["missing", "black", "carried"])
SPEED = 1.2
"""Metres a second of the camera below."""


def lap(n: float) -> tuple[float, ...]:
    """Metres and degrees of a camera that goes round and looks outwards: views come back, and from
    one side of the room nothing of the other is seen."""
    angle = np.deg2rad(9 * n)
    return 0.75 * np.sin(angle), 0.0, 0.75 * np.cos(angle), 9 * n


@settings(
    max_examples=4,
    phases=[Phase.generate],
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(mishaps=st.lists(MISHAPS, min_size=24, max_size=24), seed=st.integers(0, 3))
def test_whatever_happens_to_images_odom_goes_no_faster_than_the_camera(
    box_room: Any, camera_pose: Any, mishaps: list[str], seed: int
) -> None:
    """Images are missing or black, and a camera that somebody takes back at once is found there."""
    way = np.cumsum([1.0] * 8 + [-8.0 if mishap == "carried" else 1.0 for mishap in mishaps])
    room = box_room(np.array([camera_pose(*lap(n)) for n in way]))
    mapper = Mapper(CoveredOracle(room, long_side=160, seed=seed), INLINE)
    updates = []
    for index, mishap in enumerate(["none"] * 8 + mishaps):
        if mishap != "missing":
            frame = room[index]
            updates.append(mapper.step(black(frame) if mishap == "black" else frame))
    mapper.finish()
    unit = metres_of_unit(room, mapper)
    for length, seconds in steps(updates):
        assert length * unit < 2.5 * SPEED * seconds
    assert consistent(updates)


def test_a_camera_that_is_lost_and_found_within_one_frame_does_not_jump(
    box_room: Any, camera_pose: Any
) -> None:
    """It looks back at once to where it began; what the map has drifted is no motion."""
    way = [*range(25), *range(4)]
    room = box_room(np.array([camera_pose(*lap(n)) for n in way]))
    mapper = Mapper(oracle(room), INLINE)
    updates = [mapper.step(room[index]) for index in range(len(room))]
    assert updates[25].state is Tracking.TRACKING and not updates[25].motion_seen
    unit = metres_of_unit(room, mapper)
    lengths = [length * unit for length, _ in steps(updates)]
    assert len(lengths) == len(room) - 1 and max(lengths) < 2 * SPEED * 0.1
    assert consistent(updates)


def test_another_focal_length_is_no_motion(walk: Any) -> None:
    """A camera that stands still is calibrated anew: its poses change, it does not move."""
    poses = np.array([walk.poses[0]] * 20)
    room = type(walk)(poses)
    mapper = Mapper(oracle(room), INLINE)
    updates = []
    for index in range(len(room)):
        frame = room[index]
        camera = frame.intrinsics
        if index >= 10:
            camera = replace(camera, fx=1.2 * camera.fx, fy=1.2 * camera.fy)
        updates.append(mapper.step(replace(frame, intrinsics=camera)))
    depth = float(np.median(room.truth(0).depth))
    lengths = [length for length, _ in steps(updates)]
    assert len(lengths) == 19
    assert max(lengths) < 0.03 * depth


@pytest.mark.skipif(not HOLOLENS.exists(), reason="needs ../shared/data/hololens")
def test_a_handheld_sequence_with_gaps_has_no_jumps() -> None:
    """Real images of fast turns, small, some of them missing or black."""
    source = open_source(HOLOLENS)
    random = np.random.default_rng(1)
    mapper = Mapper(engine_named("geometric", "", 320), INLINE)
    updates, index = [], 0
    while index < 60:
        if random.random() < 0.1:
            index += int(random.integers(1, 6))
            continue
        frame = source[index]
        updates.append(mapper.step(black(frame) if random.random() < 0.05 else frame))
        index += 1
    mapper.finish()
    stamps = [source[n].stamp * 1e-9 for n in range(60)]
    true = truth_of(source, [source[n].stamp for n in range(60)])[:, :3, 3]
    speed = float((np.linalg.norm(np.diff(true, axis=0), axis=1) / np.diff(stamps)).max())
    unit = metres_of_unit(source, mapper)
    found = list(steps(updates))
    assert len(found) > 30
    # The unit of length drifts along the way, which the whole trajectory's scale does not follow.
    worst = max(length * unit / seconds for length, seconds in found)
    assert worst < 3 * speed
    assert consistent(updates)
