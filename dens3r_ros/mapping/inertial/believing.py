# SPDX-License-Identifier: Apache-2.0
"""Whether an alignment is believed, and what is missing where none is."""

from __future__ import annotations

import numpy as np

from dens3r_ros.imu import ImuNoise
from dens3r_ros.mapping.inertial.alignment import InertialAlignment
from dens3r_ros.mapping.inertial.moments import FeltMoments

LEAST_S = 5.0
"""Seconds that are aligned before anything is said."""
SURE = 0.05
"""Standard deviation of the logarithm of the scale with which it is believed."""
_BETTER = 0.6
"""Share of that at which another alignment takes the place of the one that is held."""
_ASTRAY = 3.0
"""Standard deviations by which another must be off to do so too."""
FITS = 3.5
"""Mean square of what does not fit beyond which camera and sensor tell different stories."""
_DRIFT = 0.03
"""Logarithm by which the camera's own unit, a mean over all that is aligned, may be another at the
next attempt."""
_UNUSUAL = 2.5
"""Times the standard deviation that a preset tells of a bias, from which on that is told."""
_LIVELY = 0.25
"""m/s^2: root mean square of accelerations without which a scale takes long."""


def believable(
    held: InertialAlignment | None, before: InertialAlignment | None, found: InertialAlignment
) -> bool:
    """Whether an alignment takes the place of the one that is held, or becomes the first."""
    if held is None:
        return found.sigma < SURE and before is not None and _steady(before, found)
    better = found.sigma < _BETTER * held.sigma
    return better or (found.sigma < SURE and _apart(held, found) > _ASTRAY)


def missing(tried: InertialAlignment | None, moments: FeltMoments) -> str:
    """What the motion lacks, after the last attempt."""
    if tried is None and moments.seconds < LEAST_S:
        return f"{moments.seconds:.0f} of {LEAST_S:.0f} s of tracking without a break"
    if tried is None or tried.misfit > FITS:
        return "what the camera saw and what was felt do not fit well enough yet; move on"
    if moments.liveliness < _LIVELY:
        return (
            "the motion is too even to tell metres: move sideways, up and down, or start and "
            f"stop (scale known to {tried.sigma:.0%})"
        )
    return f"the scale is known to {tried.sigma:.1%}; move on"


def unusual(turn_bias: np.ndarray, force_bias: np.ndarray | None, noise: ImuNoise) -> str:
    """Of biases (rad/s and m/s^2) that are far larger than the sensor's preset expects; nothing
    where none is."""
    told = [(turn_bias, noise.turn_bias, "rad/s")]
    told += [] if force_bias is None else [(force_bias, noise.force_bias, "m/s^2")]
    found = [
        f"{size:.2g} {unit}, {size / usual:.1f} times"
        for size, usual, unit in ((np.linalg.norm(b) / 3**0.5, s, unit) for b, s, unit in told)
        if size > _UNUSUAL * usual
    ]
    if not found:
        return ""
    return (
        f"its bias is {' and '.join(found)} what imu.preset expects of an axis; it is taken off, "
        "but the sensor should be calibrated, or the preset another"
    )


def _apart(one: InertialAlignment, other: InertialAlignment) -> float:
    """How far two scales are apart, in standard deviations."""
    apart = abs(np.log(one.scale / other.scale))
    return float(apart / np.hypot(one.sigma, other.sigma))


def _steady(before: InertialAlignment, found: InertialAlignment) -> bool:
    """Whether two attempts in a row say the same, as far as the first could know."""
    apart = abs(np.log(before.scale / found.scale))
    likely = 2.0 * np.hypot(before.sigma, found.sigma) + _DRIFT
    return bool(before.misfit < 2 * FITS and apart < likely)
