# SPDX-License-Identifier: Apache-2.0
"""What an alignment says of the keyframes that frames were placed against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.mapping.graph.felt import FeltVisit, FeltWay
from dens3r_ros.mapping.inertial.alignment import InertialAlignment
from dens3r_ros.mapping.inertial.moments import Sighted


def way_of(sights: Sequence[Sighted], found: InertialAlignment, metres: float) -> FeltWay | None:
    """Of the moments that were aligned; None where nothing is known of their keyframes."""
    if any(sight.T_keyframe_camera is None for sight in sights):
        return None
    begins = [0]
    begins += [n for n in range(1, len(sights)) if _another(sights[n - 1], sights[n])]
    ends = [*begins[1:], len(sights)]
    visits = [_visit(sights, found, range(*span)) for span in zip(begins, ends, strict=True)]
    ties = [sights[n].seen and not sights[n].rescaled for n in begins[1:]]
    return FeltWay(visits, ties, metres)


def _another(before: Sighted, here: Sighted) -> bool:
    return before.keyframe_id != here.keyframe_id or here.rescaled or not here.seen


def _visit(sights: Sequence[Sighted], found: InertialAlignment, span: range) -> FeltVisit:
    poses = []
    metres = np.array([found.scales[n] * sights[n].unit for n in span])
    unit = float(np.exp(np.log(metres).mean()))
    for n in span:
        T = sights[n].T_keyframe_camera
        assert T is not None
        in_metres = T.copy()
        in_metres[:3, 3] *= unit
        poses.append(found.T_level_camera[n] @ np.linalg.inv(in_metres))
    S = np.eye(4)
    S[:3, :3] = unit * Rotation.from_matrix(np.array(poses)[:, :3, :3]).mean().as_matrix()
    S[:3, 3] = np.mean(poses, axis=0)[:3, 3]
    first = sights[span[0]]
    return FeltVisit(first.stamp, first.keyframe_id, S, found.last_sigma)
