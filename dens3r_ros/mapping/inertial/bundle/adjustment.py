# SPDX-License-Identifier: Apache-2.0
"""Poses, points, speeds and biases that explain corners and readings best, by GTSAM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gtsam
import numpy as np
from gtsam.symbol_shorthand import B, L, V, X
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.imu import ImuNoise, ImuReadings
from dens3r_ros.mapping.inertial.bundle.anchoring import SeenPoint, points_of
from dens3r_ros.mapping.inertial.bundle.watching import SeenCorners
from dens3r_ros.mapping.inertial.preintegration import Preintegrator

_PIXEL = 0.3
"""Pixels that a corner held to its patch is off."""
_KERNEL = 1.5
"""Standard deviations beyond which one counts much less."""
_FIRST_PLACE, _FIRST_TILT = 1e-4, 0.1
"""Metres and radians within which the first pose is held; how it is turned about what is up, as
its place."""
_FEWEST = 60
"""Points without which nothing is adjusted."""
_ITERATIONS = 15


@dataclass(frozen=True, eq=False)
class InertialBundle:
    """What is adjusted: glimpses, the readings between each and the next, and as first guesses
    T_level_camera (N, 4, 4) in metres, `up` (3,) in the same frame, and the biases (3,) rad/s and
    m/s^2, that of the force in the same frame too; with where and how well the sensor measures."""

    glimpses: Sequence[SeenCorners]
    readings: Sequence[ImuReadings]
    T_level_camera: np.ndarray
    up: np.ndarray
    turn_bias: np.ndarray
    force_bias: np.ndarray
    T_camera_imu: np.ndarray
    noise: ImuNoise


@dataclass(frozen=True, eq=False)
class Adjusted:
    """T_level_camera (N, 4, 4) metres, and `up` (3,), in the frame of the first guess; velocity,
    turn_bias and force_bias (3,) at the last glimpse; sigma: of the logarithm of all lengths, as
    far as the corners' and readings' noise goes; misfit: mean square of what does not fit."""

    T_level_camera: np.ndarray
    up: np.ndarray
    velocity: np.ndarray
    turn_bias: np.ndarray
    force_bias: np.ndarray
    sigma: float
    misfit: float


def adjusted(bundle: InertialBundle) -> Adjusted | None:
    """The best explanation; None where too few corners were followed for one."""
    upright = _upright(bundle.up)
    poses = upright @ bundle.T_level_camera
    points = points_of(bundle.glimpses, poses)
    if len(points) < _FEWEST:
        return None
    graph, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
    T_camera_imu = bundle.T_camera_imu
    _add_motion(graph, values, bundle, poses @ T_camera_imu)
    _add_points(graph, values, points, bundle.glimpses[0].camera, T_camera_imu)
    parameters = gtsam.LevenbergMarquardtParams()
    parameters.setMaxIterations(_ITERATIONS)
    parameters.setRelativeErrorTol(1e-4)
    values = gtsam.LevenbergMarquardtOptimizer(graph, values, parameters).optimize()
    last, back = len(poses) - 1, upright.T
    found = np.array([values.atPose3(X(n)).matrix() for n in range(len(poses))])
    bias = values.atConstantBias(B(last))
    sights = sum(len(point.at) for point in points)
    return Adjusted(
        T_level_camera=back @ found @ np.linalg.inv(T_camera_imu),
        up=back[:3, 2],
        velocity=back[:3, :3] @ values.atVector(V(last)),
        turn_bias=bias.gyroscope(),
        force_bias=found[-1, :3, :3] @ bias.accelerometer(),
        sigma=_length_sigma(graph, values, found),
        misfit=graph.error(values) / sights,
    )


def _upright(up: np.ndarray) -> np.ndarray:
    """(4, 4) rotation that makes `up` the third axis."""
    T = np.eye(4)
    T[:3, :3] = Rotation.align_vectors([[0.0, 0.0, 1.0]], [up])[0].as_matrix()
    return T


def _add_motion(
    graph: gtsam.NonlinearFactorGraph,
    values: gtsam.Values,
    bundle: InertialBundle,
    poses: np.ndarray,
) -> None:
    """Poses of the sensor, and what was felt between them."""
    noise, integrator = bundle.noise, Preintegrator(bundle.noise)
    bias = gtsam.imuBias.ConstantBias(np.zeros(3), bundle.turn_bias)
    seconds = np.array([glimpse.stamp for glimpse in bundle.glimpses]) * 1e-9
    speeds = np.gradient(poses[:, :3, 3], seconds - seconds[0], axis=0)
    for n, (pose, speed) in enumerate(zip(poses, speeds, strict=True)):
        values.insert(X(n), gtsam.Pose3(pose))
        values.insert(V(n), speed)
        values.insert(B(n), bias)
    for n, readings in enumerate(bundle.readings):
        sums = integrator.summed(readings, bundle.turn_bias)
        graph.add(gtsam.CombinedImuFactor(X(n), V(n), X(n + 1), V(n + 1), B(n), B(n + 1), sums))
    graph.add(gtsam.PriorFactorPose3(X(0), gtsam.Pose3(poses[0]), _held(poses[0])))
    # A sensor that is worse than its preset is told elsewhere, and serves.
    force = max(noise.force_bias, float(np.linalg.norm(bundle.force_bias)))
    turn = max(noise.turn_bias, float(np.linalg.norm(bundle.turn_bias)))
    usual = gtsam.noiseModel.Diagonal.Sigmas(np.repeat((force, turn), 3))
    graph.add(gtsam.PriorFactorConstantBias(B(0), gtsam.imuBias.ConstantBias(), usual))


def _held(pose: np.ndarray) -> gtsam.noiseModel.Base:
    """What holds the first pose (4, 4): not how it is tilted. A step is in its own axes."""
    R = pose[:3, :3]
    covariance = _FIRST_PLACE**2 * np.eye(6)
    covariance[:3, :3] = R.T @ np.diag([_FIRST_TILT, _FIRST_TILT, _FIRST_PLACE]) ** 2 @ R
    return gtsam.noiseModel.Gaussian.Covariance(covariance)


def _add_points(
    graph: gtsam.NonlinearFactorGraph,
    values: gtsam.Values,
    points: Sequence[SeenPoint],
    camera: Intrinsics,
    T_camera_imu: np.ndarray,
) -> None:
    """Points, and where they were seen."""
    kernel = gtsam.noiseModel.mEstimator.Cauchy.Create(_KERNEL)
    noise = gtsam.noiseModel.Robust.Create(kernel, gtsam.noiseModel.Isotropic.Sigma(2, _PIXEL))
    lens = gtsam.Cal3_S2(camera.fx, camera.fy, 0.0, camera.cx, camera.cy)
    mounted = gtsam.Pose3(np.linalg.inv(T_camera_imu))
    for number, point in enumerate(points):
        values.insert(L(number), point.point)
        for at, pixel in zip(point.at.tolist(), point.pixels, strict=True):
            graph.add(
                gtsam.GenericProjectionFactorCal3_S2(
                    pixel, noise, X(at), L(number), lens, False, False, mounted
                )
            )


def _length_sigma(
    graph: gtsam.NonlinearFactorGraph, values: gtsam.Values, poses: np.ndarray
) -> float:
    """Standard deviation of the logarithm of the length of the whole way."""
    # Three columns: row, column and value, counted from 1; the last column is what is left.
    rows, columns, entries = graph.linearize(values).sparseJacobian_()
    rows, columns = rows.astype(int) - 1, columns.astype(int) - 1
    size = columns.max()
    kept = columns < size
    J = csc_matrix((entries[kept], (rows[kept], columns[kept])), shape=(rows.max() + 1, size))
    centred = poses[:, :3, 3] - poses[:, :3, 3].mean(0)
    asked = np.zeros((len(poses), 6))
    # A pose's step is in its own axes, turn first; poses are the last columns of all.
    asked[:, 3:] = np.einsum("nji,nj->ni", poses[:, :3, :3], centred) / (centred**2).sum()
    whole = np.zeros(size)
    whole[-asked.size :] = asked.ravel()
    return float(np.sqrt(max(whole @ splu((J.T @ J).tocsc()).solve(whole), 0.0)))
