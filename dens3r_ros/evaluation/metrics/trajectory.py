# SPDX-License-Identifier: Apache-2.0
"""Trajectories against the truth, with evo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from evo.core.trajectory import PoseTrajectory3D

_MIN_POSES = 3


@dataclass(frozen=True, eq=False)
class TrajectoryErrors:
    """Errors in metres and degrees; NaN where too few frames have poses, or all stand on one line.

    scale: metres per unit of the estimate; S_world_map (4, 4) the best similarity; errors (N,)
    metres per frame after it; aligned (N, 3) positions after it.
    """

    path_m: float
    ate_sim3_m: float
    ate_se3_m: float
    scale: float
    rpe_m: float
    rpe_deg: float
    S_world_map: np.ndarray
    errors: np.ndarray
    aligned: np.ndarray


def compare(stamps: np.ndarray, estimated: np.ndarray, truth: np.ndarray) -> TrajectoryErrors:
    """Errors of (N, 4, 4) camera-to-world poses against true ones at the same stamps (N,) in s.

    The absolute error is after a Sim(3) and after an SE(3) alignment; the relative one is from
    frame to frame after the Sim(3).
    """
    from evo.core.trajectory import PoseTrajectory3D

    if len(stamps) < _MIN_POSES or _flat(truth) or _flat(estimated):
        nan = float("nan")
        nothing = np.zeros(0)
        return TrajectoryErrors(nan, nan, nan, nan, nan, nan, np.eye(4), nothing, nothing)
    reference = PoseTrajectory3D(poses_se3=list(truth), timestamps=stamps)
    similar = PoseTrajectory3D(poses_se3=_orthonormal(estimated), timestamps=stamps)
    rotation, shift, scale = similar.align(reference, correct_scale=True)
    S = np.eye(4)
    S[:3, :3], S[:3, 3] = scale * rotation, shift
    rigid = PoseTrajectory3D(poses_se3=_orthonormal(estimated), timestamps=stamps)
    rigid.align(reference, correct_scale=False)
    errors = _absolute(reference, similar)
    return TrajectoryErrors(
        path_m=float(reference.path_length),
        ate_sim3_m=_rms(errors),
        ate_se3_m=_rms(_absolute(reference, rigid)),
        scale=float(scale),
        rpe_m=_relative(reference, similar, "translation_part"),
        rpe_deg=_relative(reference, similar, "rotation_angle_deg"),
        S_world_map=S,
        errors=errors,
        aligned=similar.positions_xyz,
    )


def _flat(poses: np.ndarray) -> bool:
    """Whether positions determine no alignment."""
    positions = poses[:, :3, 3] - poses[:, :3, 3].mean(0)
    spread = np.linalg.svd(positions, compute_uv=False)
    return bool(spread[1] < 1e-6 * max(spread[0], 1e-12)) or bool(spread[0] < 1e-9)


def _orthonormal(poses: np.ndarray) -> list[np.ndarray]:
    """Poses whose rotations are exact, as evo insists on."""
    clean = []
    for T in poses:
        U, _, Vt = np.linalg.svd(T[:3, :3])
        exact = T.copy()
        exact[:3, :3] = U @ Vt
        clean.append(exact)
    return clean


def _absolute(reference: PoseTrajectory3D, estimate: PoseTrajectory3D) -> np.ndarray:
    from evo.core import metrics

    metric = metrics.APE(metrics.PoseRelation.translation_part)
    metric.process_data((reference, estimate))
    return np.asarray(metric.error)


def _relative(reference: PoseTrajectory3D, estimate: PoseTrajectory3D, relation: str) -> float:
    from evo.core import metrics

    metric = metrics.RPE(metrics.PoseRelation[relation], delta=1, delta_unit=metrics.Unit.frames)
    metric.process_data((reference, estimate))
    return _rms(np.asarray(metric.error))


def _rms(errors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))
