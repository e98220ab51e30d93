# SPDX-License-Identifier: Apache-2.0
"""A network's depth brought to the wrong scale moves every point of a map, and the robot too."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.engines.geometric.depth import InverseDepth, unknown_depth
from dens3r_ros.engines.hybrid.alone import Alone
from dens3r_ros.engines.hybrid.fitting import fit
from dens3r_ros.engines.hybrid.joining import by_network, join

SIZE = (120, 160)
UNKNOWN = np.float32(np.inf)


def alone(inverse: np.ndarray, error: float = 0.04) -> Alone:
    whole = np.full(SIZE, error, np.float32)
    return Alone(inverse.astype(np.float32), whole, None, None)


def scene(seed: int = 0) -> np.ndarray:
    """Inverse depths from 0.2 to 1."""
    random = np.random.default_rng(seed)
    slope = np.linspace(0.2, 1.0, SIZE[1])[None] * np.ones((SIZE[0], 1))
    return slope * np.exp(0.02 * random.standard_normal(SIZE))


def triangulated(value: np.ndarray, sigma: float = 0.02) -> InverseDepth:
    planes = unknown_depth(SIZE).planes
    spread = (sigma * value).astype(np.float32)
    return InverseDepth(value.astype(np.float32), spread, planes)


def test_scale_and_shift_are_found_among_wrong_matches() -> None:
    q, random = scene(), np.random.default_rng(1)
    measured = 0.3 * (q + 0.02)
    wrong = random.random(SIZE) < 0.3
    measured = np.where(wrong, measured * random.uniform(0.2, 3, SIZE), measured)
    found = fit(triangulated(measured), alone(q), metric=False)
    assert found is not None
    middle = 0.6
    assert found.scale * (middle + found.shift) == pytest.approx(0.3 * 0.62, rel=0.02)


def test_of_a_metric_network_only_the_scale_is_asked() -> None:
    q = scene()
    found = fit(triangulated(0.3 * (q + 0.05)), alone(q), metric=True)
    assert found is not None
    assert abs(found.shift) < 1e-4


def test_views_that_have_nothing_to_do_with_each_other_are_told() -> None:
    random = np.random.default_rng(2)
    noise = np.exp(random.normal(0, 1, SIZE))
    found = fit(triangulated(noise), alone(scene()), metric=False)
    assert found is not None and not found.sound
    assert fit(unknown_depth(SIZE), alone(scene()), metric=False) is None


def test_parallax_decides_where_there_is_some_and_the_network_where_there_is_none() -> None:
    q = scene()
    bent = q * np.linspace(0.95, 1.05, SIZE[0])[:, None]
    found = fit(triangulated(0.3 * q, 0.005), alone(bent), metric=True)
    assert found is not None
    sharp = join(triangulated(0.3 * q, 0.005), alone(bent), found, found.scale)
    vague = join(triangulated(0.3 * q, 0.5), alone(bent), found, found.scale)
    unit = np.median(sharp.inverse / q)
    # Of the network's error there stays its share, since no pair is surer than what all repeat.
    assert np.abs(sharp.inverse / q / unit - 1).mean() < 0.4 * np.abs(bent / q - 1).mean()
    assert np.abs(vague.inverse / bent - 1).mean() < 0.01
    assert (sharp.error < vague.error).all()


def test_a_wrong_match_does_not_outvote_the_network() -> None:
    q = scene()
    measured = 0.3 * q
    measured[40:60, 40:60] *= 2
    found = fit(triangulated(measured, 0.01), alone(q), metric=True)
    assert found is not None
    joined = join(triangulated(measured, 0.01), alone(q), found, found.scale)
    assert np.abs(joined.inverse[45:55, 45:55] / q[45:55, 45:55] - 1).max() < 0.1


def test_what_the_network_does_not_know_is_triangulated_or_unknown() -> None:
    q = scene()
    half = alone(q)
    half.error[:, :80] = UNKNOWN
    found = fit(triangulated(0.3 * q), half, metric=True)
    assert found is not None
    joined = join(triangulated(0.3 * q), half, found, found.scale)
    assert joined.inverse[:, :80] == pytest.approx(q[:, :80], rel=0.03)
    assert np.isfinite(joined.error).all()
    assert np.isinf(by_network(half, 1.0).error[:, :80]).all()
