# SPDX-License-Identifier: Apache-2.0
"""If these fail, a robot whose IMU breaks, lags or is mounted otherwise maps worse than without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dens3r_ros.evaluation.image_sequences.cached_source import CachedSource
from dens3r_ros.evaluation.metrics.trajectory import compare
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.imu import ImuReadings, ImuRecording
from dens3r_ros.mapping.config import GraphConfig, MapperConfig
from dens3r_ros.mapping.inertial.inertial import Inertial
from dens3r_ros.mapping.inertial.recorded import RecordedInertial
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.scenes.inertial import carried_imu
from dens3r_ros.sources.opening import open_source

FRAMES, EVERY = 300, 2
INLINE = MapperConfig(graph=GraphConfig(child_process=False))
Change = Callable[[ImuReadings, ImuRecording], ImuReadings]


def dropped(readings: ImuReadings, _: ImuRecording) -> ImuReadings:
    """Nothing more after three seconds."""
    return readings.part(slice(0, 600))


def late(readings: ImuReadings, _: ImuRecording) -> ImuReadings:
    """Stamped 200 ms after what is told."""
    return replace(readings, stamps=readings.stamps + 200_000_000)


def biased(readings: ImuReadings, recording: ImuRecording) -> ImuReadings:
    """By five times what its preset expects."""
    noise = recording.noise
    turn = readings.turn + 5 * noise.turn_bias / np.sqrt(3)
    return replace(readings, turn=turn, force=readings.force + 5 * noise.force_bias / np.sqrt(3))


def swapped(readings: ImuReadings, _: ImuRecording) -> ImuReadings:
    """x, y and z stand for one another."""
    return replace(readings, turn=readings.turn[:, [2, 0, 1]], force=readings.force[:, [2, 0, 1]])


@pytest.fixture(scope="module")
def source() -> CachedSource:
    text = f"procedural:walk?seed=5&frames={FRAMES}&size=160x120"
    return CachedSource(open_source(text), keep=FRAMES)


@pytest.fixture(scope="module")
def recording() -> ImuRecording:
    return carried_imu(open_source(f"procedural:walk?seed=5&frames={FRAMES}&size=160x120").walk)


def mapped(source: CachedSource, recording: ImuRecording | None, offset_s: float | None = None):
    """The path's error after Sim(3), frames posed, and all that diagnostics said of the sensor."""
    fed = None if recording is None else RecordedInertial(recording)
    if fed is not None and recording is not None and offset_s is not None:
        fed.inertial = Inertial(recording.noise, recording.T_camera_imu, offset_s)
    said, truth = set(), {}
    engine = OracleEngine(source, long_side=160)
    with Mapper(engine, INLINE, gyroscope=None if fed is None else fed.inertial) as mapper:
        for index in range(0, FRAMES, EVERY):
            frame = source[index]
            truth[frame.stamp] = source.truth(index).T_world_camera
            if fed is not None:
                fed.before(frame.stamp)
            update = mapper.step(frame)
            if fed is not None:
                fed.inertial.learn(update)
                said.add(fed.inertial.progress())
        mapper.finish()
        placed = mapper.trajectory()
    stamps = np.array([pose.stamp for pose in placed])
    found = np.array([pose.T_map_camera for pose in placed])
    errors = compare(stamps * 1e-9, found, np.array([truth[stamp] for stamp in stamps.tolist()]))
    return errors.ate_sim3_m, len(placed), said


@pytest.fixture(scope="module")
def without(source: CachedSource) -> tuple[float, int]:
    return mapped(source, None)[:2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (dropped, "no reading for"),
        (late, "set imu.time_offset"),
        (biased, "what imu.preset expects"),
        (swapped, "its axes do not fit"),
    ],
)
def test_a_wrong_sensor_is_told_and_maps_no_worse_than_none(
    source, recording, without, change: Change, told: str
) -> None:
    """A bias is found out and taken off. With `-s` the errors are printed."""
    wrong = replace(recording, readings=change(recording.readings, recording))
    error, posed, said = mapped(source, wrong, 0.006 if change is late else None)
    ratio = error / without[0]
    print(
        f"{change.__name__}: {ratio:.2f} of {without[0]:.4f} m, {posed} posed, said {sorted(said)}"
    )
    assert any(told in sentence for sentence in said), said
    assert posed >= 0.95 * without[1]
    assert ratio <= 1.05
