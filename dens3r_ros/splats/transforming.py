# SPDX-License-Identifier: Apache-2.0
"""Splats in another frame or unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from dens3r_ros.geometry.quaternion import quaternion_from_rotation, rotation_from_quaternion
from dens3r_ros.geometry.sim3 import split
from dens3r_ros.splats.harmonics import turned
from dens3r_ros.splats.splats import Splats


def transformed(splats: Splats, S: np.ndarray, frame: str, metric: bool | None = None) -> Splats:
    """The splats in `frame`, where the similarity S (4, 4) takes their points to.

    Sizes grow by its scale, and colours that depend on the direction turn with it. `metric` says
    whether lengths are metres afterwards; as before where it is None.
    """
    scale, R, shift = (part.numpy() for part in split(torch.from_numpy(np.array(S, np.float64))))
    own = rotation_from_quaternion(torch.from_numpy(splats.rotations))
    rotations = quaternion_from_rotation(torch.from_numpy(R) @ own).numpy()
    return replace(
        splats,
        means=(splats.means @ (scale * R).T + shift).astype(np.float32),
        log_scales=(splats.log_scales + np.log(scale)).astype(np.float32),
        rotations=rotations.astype(np.float32),
        harmonics=turned(splats.harmonics, R),
        frame=frame,
        metric=splats.metric if metric is None else metric,
    )
