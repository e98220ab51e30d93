# SPDX-License-Identifier: Apache-2.0
"""If these fail, a broken IMU makes a robot worse off than none, and nothing tells of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dens3r_ros.evaluation.metrics.trajectory import compare
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.imu import ImuReadings
from dens3r_ros.mapping.config import GraphConfig, MapperConfig
from dens3r_ros.mapping.inertial.recorded import RecordedInertial
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.sources.opening import open_source

FRAMES = 240


@pytest.fixture(scope="module")
def source():
    return open_source(f"procedural:fast-turn?seed=81&frames={FRAMES}&size=128x96&imu=1")


def mapped(source, readings: ImuReadings | None) -> tuple[float, float, RecordedInertial | None]:
    """ATE after Sim(3) (m), share of frames that have a place, and what fed the mapper."""
    fed = None
    if readings is not None:
        fed = RecordedInertial(replace(source.imu, readings=readings))
    config = MapperConfig(graph=GraphConfig(child_process=False))
    engine = OracleEngine(source, long_side=128)
    with Mapper(engine, config, gyroscope=None if fed is None else fed.inertial) as mapper:
        for index in range(FRAMES):
            frame = source[index]
            if fed is not None:
                fed.before(frame.stamp)
            update = mapper.step(frame)
            if fed is not None:
                fed.inertial.learn(update)
        mapper.finish()
        found = mapper.trajectory()
    stamps = {source[index].stamp: index for index in range(FRAMES)}
    truth = np.array([source.truth(stamps[pose.stamp]).T_world_camera for pose in found])
    poses = np.array([pose.T_map_camera for pose in found])
    errors = compare(np.array([pose.stamp * 1e-9 for pose in found]), poses, truth)
    return errors.ate_sim3_m, len(found) / FRAMES, fed


@pytest.mark.slow
def test_no_broken_sensor_costs_more_than_a_twentieth(source) -> None:
    whole, noise = source.imu.readings, source.imu.noise
    half = len(whole) // 2
    broken = {
        "dropped": whole.part(slice(0, half)),
        "late": replace(whole, stamps=whole.stamps + 200_000_000),
        "biased": replace(
            whole, turn=whole.turn + 5 * noise.turn_bias, force=whole.force + 5 * noise.force_bias
        ),
        "swapped": replace(whole, turn=whole.turn[:, [1, 0, 2]], force=whole.force[:, [1, 0, 2]]),
        "saturated": replace(whole, turn=np.clip(whole.turn * 30, -17.4, 17.4)),
    }
    without, _, _ = mapped(source, None)
    for name, readings in broken.items():
        ate, posed, fed = mapped(source, readings)
        assert ate < 1.05 * without, name
        assert posed == 1.0, name
        if name in ("dropped", "saturated", "swapped"):
            assert fed.inertial.fault, name
        if name == "late":
            assert fed.inertial.offset_s == pytest.approx(0.206, abs=0.015)
    ate, posed, _ = mapped(source, whole)
    assert ate < 1.05 * without
    assert posed == 1.0
