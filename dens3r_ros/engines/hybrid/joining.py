# SPDX-License-Identifier: Apache-2.0
"""Two opinions of every pixel's inverse depth made one, by inverse variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.engines.geometric.depth import InverseDepth
from dens3r_ros.engines.hybrid.alone import Alone
from dens3r_ros.engines.hybrid.fitting import Fit

_CONTRADICTION = 2.0
"""Standard deviations between the two from which on triangulation is doubted."""
_REPEATED = 0.03
"""Relative standard deviation of what every pair of two views repeats, whose lens is known badly or
whose rows are read one after the other, so that no number of pairs averages it out."""
_NEAREST = np.float32(1e-3)
"""Share of the network's inverse depth below which none falls."""


@dataclass(frozen=True, eq=False)
class Joined:
    """inverse (H, W) float32 inverse depth above 0, and its relative standard deviation, infinite
    where nothing is known."""

    inverse: np.ndarray
    error: np.ndarray


def by_network(alone: Alone, unit: float) -> Joined:
    """What the network says alone; `unit` is the length of its unit in the one wanted."""
    return Joined(alone.inverse / np.float32(unit), alone.error)


def join(triangulated: InverseDepth, alone: Alone, fitted: Fit, baseline: float) -> Joined:
    """Both, in a unit in which the baseline has the length given; parallax decides."""
    known = np.isfinite(alone.error)
    network = np.maximum(alone.inverse + np.float32(fitted.shift), _NEAREST * alone.inverse)
    network *= np.float32(fitted.scale / baseline)
    own = np.where(known, alone.error, 1) * network
    value = triangulated.value / np.float32(baseline)
    # Where the two differ by more than both promise, a motion that errs is the likelier reason.
    beside = np.float32(np.hypot(fitted.excess, _REPEATED))
    variance = (triangulated.sigma / np.float32(baseline)) ** 2 + (beside * value) ** 2
    off = (value - network) ** 2 / (own**2 + variance)
    # A wrong match errs by far more than its share of the flow's errors.
    variance = variance * np.where(known, np.maximum(1, off / _CONTRADICTION**2) ** 2, 1)
    weight, trust = 1 / variance, np.where(known, 1 / own**2, 0)
    inverse = (weight * value + trust * network) / (weight + trust)
    sigma = 1 / np.sqrt(weight + trust)
    return Joined(inverse.astype(np.float32), (sigma / inverse).astype(np.float32))
