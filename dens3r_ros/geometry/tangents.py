# SPDX-License-Identifier: Apache-2.0
"""Small motions of one similarity at a time, as `geometry.sim3` has them for many: mapping asks
for a few each frame, and as tensors each would take it a millisecond."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial.transform import Rotation


def exp(tangent: np.ndarray) -> np.ndarray:
    """(4, 4) similarity of a (7,) tangent, or rigid transform of a (6,) one."""
    log_scale = float(tangent[6]) if len(tangent) == 7 else 0.0
    S = np.eye(4)
    S[:3, :3] = np.exp(log_scale) * cv2.Rodrigues(tangent[3:6])[0]
    S[:3, 3] = _integral(tangent[3:6], log_scale) @ tangent[:3]
    return S


def log(S: np.ndarray) -> np.ndarray:
    """(7,) translation, rotation, logarithm of scale."""
    scale = np.cbrt(np.linalg.det(S[:3, :3]))
    turn = Rotation.from_matrix(S[:3, :3] / scale).as_rotvec()
    log_scale = float(np.log(scale))
    shift = np.linalg.solve(_integral(turn, log_scale), S[:3, 3])
    return np.array([*shift, *turn, log_scale])


def adjoint(S: np.ndarray) -> np.ndarray:
    """(7, 7) matrix with S @ exp(x) @ inverse(S) = exp(adjoint(S) @ x)."""
    rotation = S[:3, :3] / np.cbrt(np.linalg.det(S[:3, :3]))
    result = np.zeros((7, 7))
    result[:3, :3] = S[:3, :3]
    result[:3, 3:6] = _cross(S[:3, 3]) @ rotation
    result[:3, 6] = -S[:3, 3]
    result[3:6, 3:6] = rotation
    result[6, 6] = 1.0
    return result


def _cross(vector: np.ndarray) -> np.ndarray:
    """(3, 3) matrix that takes the cross product from the left."""
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def _integral(turn: np.ndarray, log_scale: float) -> np.ndarray:
    """(3, 3) integral of the turned and scaled linear part over the way from 0 to 1.

    Across the axis, turning by an angle and growing is growing by a complex number.
    """
    angle = float(np.sqrt(turn @ turn))
    along = _mean_growth(log_scale).real
    across = _mean_growth(complex(log_scale, angle))
    axis = turn / max(angle, 1e-200)
    still = (along - across.real) * np.outer(axis, axis)
    return across.real * np.eye(3) + still + across.imag * _cross(axis)


def _mean_growth(rate: complex) -> complex:
    """Mean of exp(rate t) over t from 0 to 1."""
    if abs(rate) < 1e-5:
        return 1 + rate / 2 + rate * rate / 6
    return complex(np.expm1(rate) / rate)
