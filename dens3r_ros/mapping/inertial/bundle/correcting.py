# SPDX-License-Identifier: Apache-2.0
"""An alignment set right by what was adjusted at some of its moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.mapping.inertial.alignment import InertialAlignment
from dens3r_ros.mapping.inertial.bundle.adjustment import Adjusted
from dens3r_ros.mapping.inertial.moments import Sighted

_AROUND_S = 1.5
"""Seconds either way over which lengths before and after are compared."""
_WORSE = 1.5
"""By how much larger deviations are than noise makes them."""
_LEAST_SIGMA = 0.004
"""Of the logarithm of the scale: what lenses and clocks err by is in no equation."""
_KEYFRAME_SIGMA = 0.006
"""The same of a single keyframe's unit beside all others'."""


def corrected(
    found: InertialAlignment, sights: Sequence[Sighted], at: Sequence[int], adjusted: Adjusted
) -> InertialAlignment:
    """The alignment of these sights, set right by what was adjusted `at` some of them."""
    stamps = (np.array([sight.stamp for sight in sights]) - sights[0].stamp) * 1e-9
    T = _moved(found.T_level_camera, stamps, np.asarray(at), adjusted.T_level_camera)
    longer = _longer(found.T_level_camera[:, :3, 3], T[:, :3, 3], stamps)
    sigma = float(np.hypot(_WORSE * adjusted.sigma, _LEAST_SIGMA))
    scales = found.scales * longer
    begins = [n for n, sight in enumerate(sights) if sight.rescaled]
    last_unit = slice(begins[-1] if begins else 0, None)
    return replace(
        found,
        scale=float(np.exp(np.log(scales[last_unit]).mean())),
        sigma=sigma,
        last_sigma=float(np.hypot(sigma, _KEYFRAME_SIGMA)),
        up=adjusted.up,
        turn_bias=adjusted.turn_bias,
        force_bias=adjusted.force_bias,
        velocity=adjusted.velocity,
        scales=scales,
        T_level_camera=T,
    )


def _moved(T: np.ndarray, stamps: np.ndarray, at: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Poses (N, 4, 4) moved so that those `at` some are as wanted (n, 4, 4), and others as their
    neighbours."""
    turns = Rotation.from_matrix(wanted[:, :3, :3] @ T[at, :3, :3].transpose(0, 2, 1)).as_rotvec()
    shifts = wanted[:, :3, 3] - T[at, :3, 3]
    turn, shift = (
        np.stack([np.interp(stamps, stamps[at], values[:, i]) for i in range(3)], 1)
        for values in (turns, shifts)
    )
    moved = T.copy()
    moved[:, :3, :3] = Rotation.from_rotvec(turn).as_matrix() @ T[:, :3, :3]
    moved[:, :3, 3] += shift
    return moved


def _longer(before: np.ndarray, after: np.ndarray, stamps: np.ndarray) -> np.ndarray:
    """(N,) by how much ways (N, 3) around each moment have become longer."""
    first = np.searchsorted(stamps, stamps - _AROUND_S)
    last = np.searchsorted(stamps, stamps + _AROUND_S, "right") - 1
    one, other = _lengths(before), _lengths(after)
    return np.asarray((other[last] - other[first]) / np.maximum(one[last] - one[first], 1e-9))


def _lengths(way: np.ndarray, apart: int = 5) -> np.ndarray:
    """(N,) metres gone so far, without the zigzag of single frames."""
    steps = np.linalg.norm(way[apart:] - way[:-apart], axis=1) / apart
    return np.pad(steps.cumsum(), (apart // 2 + 1, apart - apart // 2 - 1), mode="edge")
