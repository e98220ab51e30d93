# SPDX-License-Identifier: Apache-2.0
"""Bringing a network's depth to triangulated depth: a robust affine fit of inverse depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.engines.geometric.depth import InverseDepth
from dens3r_ros.engines.hybrid.alone import Alone

_STEP = 4
_LEAST_POINTS = 60
_TRUSTED = 0.25
"""Relative deviation of a triangulated inverse depth up to which it takes part."""
_SHIFT = 0.03
"""Standard deviation of the shift, as a share of the network's median inverse depth."""
_INDEPENDENT = 12
"""Number of independent errors that a view is taken to hold."""
_ROUNDS = 10
_KERNEL = 2.0
"""Standard deviations from which on a point counts less."""
_LARGEST_SPREAD = 0.35
_SPREADS = 3.0
"""Times the network's own error, where that is large, up to which the two may differ."""


@dataclass(frozen=True)
class Fit:
    """Triangulated inverse depth = scale * (the network's + shift).

    scale: length of the baseline in the network's unit; excess: relative standard deviation by
    which what remains, robustly, exceeds what both promise; ratio: how many times more than it
    says the network errs, if that is all its own; sound: whether the two have anything to do with
    one another.
    """

    scale: float
    shift: float
    excess: float
    ratio: float
    sound: bool


def fit(triangulated: InverseDepth, alone: Alone, metric: bool) -> Fit | None:
    """The fit of one view, with a scale only where the network is metric; None where too little is
    triangulated."""
    few = np.s_[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP]
    q, sigma = triangulated.value[few].ravel(), triangulated.sigma[few].ravel()
    x, error = alone.inverse[few].ravel(), alone.error[few].ravel()
    used = (sigma < _TRUSTED * q) & np.isfinite(error)
    if used.sum() < _LEAST_POINTS:
        return None
    q, sigma, x, error = (values[used].astype(np.float64) for values in (q, sigma, x, error))
    middle = float(np.median(x))
    scale, shift = _solved(q, sigma, x / middle, error, 1e-6 if metric else _SHIFT)
    if not scale > 0:
        return None
    off = q / np.maximum(scale * (x / middle + shift), 1e-9) - 1
    spread = 1.4826 * float(np.median(np.abs(off)))
    promised = float(np.median(np.hypot(sigma / q, error)))
    excess = float(np.sqrt(max(spread**2 - promised**2, 0.0)))
    own = float(np.median(error))
    ratio = float(np.sqrt(max(spread**2 - np.median(sigma / q) ** 2, 0.0))) / own
    sound = spread < max(_LARGEST_SPREAD, _SPREADS * own)
    return Fit(scale / middle, shift * middle, excess, ratio, bool(sound))


def _solved(
    q: np.ndarray, sigma: np.ndarray, x: np.ndarray, error: np.ndarray, shift_sigma: float
) -> tuple[float, float]:
    """Scale and shift by reweighted least squares, x being about one."""
    scale, shift = float(np.median(q / x)), 0.0
    for _ in range(_ROUNDS):
        deviation = np.sqrt(sigma**2 + (error * scale * x) ** 2)
        off = (q - scale * (x + shift)) / deviation
        weight = 1 / (1 + (off / _KERNEL) ** 2) / deviation**2
        # Errors of neighbours are the same ones, and larger than promised where the motion errs.
        surprise = max(1.0, 1.4826 * float(np.median(np.abs(off))))
        weight *= _INDEPENDENT / len(q) / surprise**2
        A = np.array(
            [
                [(weight * x * x).sum(), (weight * x).sum()],
                [(weight * x).sum(), weight.sum() + 1 / (scale * shift_sigma) ** 2],
            ]
        )
        b = np.array([(weight * x * q).sum(), (weight * q).sum()])
        scale, product = np.linalg.solve(A, b)
        if not scale > 0:
            break
        shift = product / scale
    return float(scale), float(shift)
