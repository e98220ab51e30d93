# SPDX-License-Identifier: Apache-2.0
"""Rigid (4, 4) matrices to pose and transform messages, and covariances into a fixed frame."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Transform, Vector3
from scipy.spatial.transform import Rotation

UNKNOWN_VARIANCE = 1e6
"""Below the 1e9 beyond which Nav2 refuses a message."""


def pose_message(T: np.ndarray) -> Pose:
    """Pose of a frame b given T_a_b."""
    x, y, z = T[:3, 3].tolist()
    return Pose(position=Point(x=x, y=y, z=z), orientation=_quaternion(T))


def transform_message(T: np.ndarray) -> Transform:
    """Transform of a child b in its parent a, given T_a_b."""
    x, y, z = T[:3, 3].tolist()
    return Transform(translation=Vector3(x=x, y=y, z=z), rotation=_quaternion(T))


def matrix_from_seven(values: tuple[float, ...]) -> np.ndarray:
    """(4, 4) matrix of x y z qx qy qz qw; the identity where nothing is given."""
    T = np.eye(4)
    if len(values) == 7:
        T[:3, :3] = Rotation.from_quat(values[3:]).as_matrix()
        T[:3, 3] = values[:3]
    return T


def diagonal_covariance(
    covariance: np.ndarray | None,
    rotation: np.ndarray,
    position: np.ndarray | None = None,
    scale_sigma: float = 0.0,
) -> list[float]:
    """36 numbers for a pose message from a (6, 6) covariance in the body's axes, and from the
    doubt in the scale, by which a `position` (3,) is off the more the farther away it is.

    Only the diagonal: Nav2 refuses messages with negative entries.
    """
    if covariance is None:
        return np.diag(np.full(6, UNKNOWN_VARIANCE)).ravel().tolist()
    turn = np.kron(np.eye(2), rotation)
    variances = np.diag(turn @ covariance @ turn.T).copy()
    if position is not None:
        variances[:3] += (scale_sigma * position) ** 2
    return np.diag(np.clip(variances, 0.0, UNKNOWN_VARIANCE)).ravel().tolist()


def _quaternion(T: np.ndarray) -> Quaternion:
    x, y, z, w = Rotation.from_matrix(T[:3, :3]).as_quat().tolist()
    return Quaternion(x=x, y=y, z=z, w=w)
