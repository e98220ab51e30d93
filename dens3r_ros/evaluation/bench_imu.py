# SPDX-License-Identifier: Apache-2.0
"""What an inertial sensor costs beside a camera, as CPU time."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from dens3r_ros.imu import ImuRecording
from dens3r_ros.mapping.inertial.inertial import Inertial
from dens3r_ros.mapping.update import Tracking, Update
from dens3r_ros.scenes.inertial import Carried, carried_imu
from dens3r_ros.scenes.walk import Walk, open_walk

_NOISE_M = 0.005
_KEYFRAME = 25
"""Frames at each."""


@dataclass
class _Spent:
    """Seconds of CPU time."""

    taking: float = 0.0
    turning: float = 0.0
    learning: float = 0.0


def bench_imu(rate: float, seconds: float) -> dict[str, object]:
    """Readings at `rate` (Hz) and frames at 30 Hz, walked for so long (s): share of one core."""
    walk = open_walk("walk", seed=71, frames=round(30 * seconds) + 1)
    recording = carried_imu(walk, Carried(rate=rate))
    inertial = Inertial(recording.noise, recording.T_camera_imu)
    spent = _walked(walk, recording, inertial)
    shares = {"taking": spent.taking, "turning": spent.turning, "learning": spent.learning}
    figures: dict[str, object] = {
        "readings_per_second": rate,
        "seconds": seconds,
        "scale_known": inertial.scale is not None,
    }
    figures |= {f"{name}_percent": 100 * cpu / seconds for name, cpu in shares.items()}
    return figures | {"core_percent": 100 * sum(shares.values()) / seconds}


def _walked(walk: Walk, recording: ImuRecording, inertial: Inertial) -> _Spent:
    random, spent, given, before = np.random.RandomState(0), _Spent(), 0, 0
    for index, pose in enumerate(walk.trajectory.poses()):
        stamp = round(index * 1e9 / walk.rate)
        end = int(np.searchsorted(recording.readings.stamps, stamp, "right"))
        began = time.thread_time()
        inertial.buffer.extend(recording.readings.part(slice(given, end)))
        taken = time.thread_time()
        inertial.turn(before, stamp)
        turned = time.thread_time()
        T = pose.copy()
        T[:3, 3] += random.standard_normal(3) * _NOISE_M
        update = _update(stamp, T, index // _KEYFRAME)
        learning = time.thread_time()
        inertial.learn(update)
        spent.learning += time.thread_time() - learning
        spent.taking += taken - began
        spent.turning += turned - taken
        given, before = max(end, given), stamp
    return spent


def _update(stamp: int, T: np.ndarray, keyframe_id: int) -> Update:
    return Update(
        state=Tracking.TRACKING,
        stamp=stamp,
        camera="",
        T_odom_camera=T,
        T_map_camera=T,
        T_map_odom=np.eye(4),
        covariance=None,
        keyframe_made=False,
        keyframe_id=keyframe_id,
        epoch=0,
        scale=1.0,
        metric=False,
        maps=None,
        intrinsics=None,
        intrinsics_estimated=False,
        matched=1.0,
    )
