# SPDX-License-Identifier: Apache-2.0
"""A pose from where it is expected to be or, where that convinces nobody, from scratch."""

from __future__ import annotations

import numpy as np

from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.tracking.resection import RayMatches, Resection, resect, resect_from_scratch

_SURPRISING = 2.0
"""Standard deviations, of those expected, of matches that make a pose doubtful."""


def solve(
    matches: RayMatches, start: np.ndarray | None, sigma: float, config: TrackingConfig
) -> tuple[Resection | None, bool]:
    """From the expected place; from scratch, and whether so, where there is none, it convinces few
    matches, or these err by so much more than expected that another place may suit them better."""
    solved = None
    if start is not None:
        solved = resect(matches, np.linalg.inv(start), sigma, config)
        if solved.inliers > 0.6 and solved.sigma < _SURPRISING * sigma:
            return solved, False
    fresh = resect_from_scratch(matches, sigma, config)
    if fresh is None or (solved is not None and _convinces(solved) >= _convinces(fresh)):
        return solved, False
    return fresh, True


def _convinces(solved: Resection) -> float:
    """Matches that agree, and how closely."""
    return solved.inliers / solved.sigma
