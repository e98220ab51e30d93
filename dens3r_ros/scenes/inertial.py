# SPDX-License-Identifier: Apache-2.0
"""What an inertial sensor that is carried along a walk reads: exact from a spline through the
walk's poses, then noise, biases that wander, and stamps that are off."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, RotationSpline

from dens3r_ros.imu import PRESETS, ImuNoise, ImuReadings, ImuRecording
from dens3r_ros.scenes.walk import Walk

GRAVITY = np.array([0.0, 0.0, -9.81])
"""m/s^2 in the walk's world."""


def _beside() -> np.ndarray:
    rows = [[0, -1, 0, 0.06], [0, 0, -1, 0.02], [1, 0, 0, -0.03], [0, 0, 0, 1]]
    return np.array(rows, np.float64)


@dataclass(frozen=True, eq=False)
class Carried:
    """How a sensor is mounted and how it errs. T_camera_imu (4, 4): x ahead, y left, z up, a hand's
    breadth beside the camera; offset_s: by how much its stamps are late."""

    rate: float = 200.0
    T_camera_imu: np.ndarray = field(default_factory=_beside)
    noise: ImuNoise | None = PRESETS["adis16448"]
    """None reads exactly."""
    offset_s: float = 0.006


def carried_imu(walk: Walk, carried: Carried | None = None) -> ImuRecording:
    """The readings along a walk, from its first frame to its last; stamps begin at 0 with it."""
    carried = carried or Carried()
    seconds = np.arange(int((len(walk) - 1) / walk.rate * carried.rate) + 1) / carried.rate
    turn, force = _exact(walk, carried.T_camera_imu, seconds)
    noise = carried.noise
    if noise is not None:
        random = np.random.RandomState(walk.seed + 7919)
        turn = turn + _errors(random, seconds, noise.turn_density, noise.turn_walk, 0.01)
        force = force + _errors(random, seconds, noise.force_density, noise.force_walk, 0.06)
    offset = round(carried.offset_s * 1e9)
    stamps = np.round(seconds * 1e9).astype(np.int64) + offset
    readings = ImuReadings(stamps, turn, force)
    return ImuRecording(readings, carried.T_camera_imu, noise or ImuNoise(), offset)


def _exact(
    walk: Walk, T_camera_imu: np.ndarray, seconds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    poses = walk.trajectory.poses()
    times = np.arange(len(poses)) / walk.rate
    turning = RotationSpline(times, Rotation.from_matrix(poses[:, :3, :3]))
    R = turning(seconds).as_matrix()
    rate, faster = turning(seconds, 1), turning(seconds, 2)
    moved = CubicSpline(times, poses[:, :3, 3])(seconds, 2)
    arm = np.broadcast_to(T_camera_imu[:3, 3], rate.shape)
    swing = np.cross(faster, arm) + np.cross(rate, np.cross(rate, arm))
    felt = np.einsum("nji,nj->ni", R, moved - GRAVITY) + swing
    own = T_camera_imu[:3, :3]
    return rate @ own, felt @ own


def _errors(
    random: np.random.RandomState, seconds: np.ndarray, density: float, walk: float, bias: float
) -> np.ndarray:
    """(N, 3) white noise on a bias that wanders."""
    step = seconds[1] - seconds[0]
    wander = random.standard_normal((len(seconds), 3)).cumsum(0) * walk * np.sqrt(step)
    white = random.standard_normal((len(seconds), 3)) * density / np.sqrt(step)
    return random.standard_normal(3) * bias + wander + white
