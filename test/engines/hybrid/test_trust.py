# SPDX-License-Identifier: Apache-2.0
"""A network that promises more than it keeps would bend maps that geometry alone gets right."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.engines.geometric.depth import InverseDepth, unknown_depth
from dens3r_ros.engines.hybrid.alone import Alone
from dens3r_ros.engines.hybrid.fitting import Fit, fit
from dens3r_ros.engines.hybrid.joining import join
from dens3r_ros.engines.hybrid.trust import MeasuredError

SIZE = (60, 80)
PROMISED = 0.04


def truth() -> np.ndarray:
    return np.linspace(0.2, 1.0, SIZE[1])[None] * np.ones((SIZE[0], 1))


def seen(error: float, seed: int = 0) -> Alone:
    """Inverse depth that errs by `error` in every pixel, and promises 4%."""
    noise = np.random.default_rng(seed).standard_normal(SIZE)
    inverse = (truth() * np.exp(error * noise)).astype(np.float32)
    return Alone(inverse, np.full(SIZE, PROMISED, np.float32), None, None)


def triangulated(sigma: float = 0.02, seed: int = 9) -> InverseDepth:
    noise = np.random.default_rng(seed).standard_normal(SIZE)
    value = (0.3 * truth() * np.exp(sigma * noise)).astype(np.float32)
    return InverseDepth(value, np.float32(sigma) * value, unknown_depth(SIZE).planes)


def compared(alone: Alone) -> Fit:
    found = fit(triangulated(), alone, metric=False)
    assert found is not None
    return found


def learned(error: float, pairs: int = 12) -> MeasuredError:
    measured = MeasuredError()
    for seed in range(pairs):
        measured.measured(compared(seen(error, seed)))
    return measured


def test_a_network_that_keeps_its_promise_is_believed() -> None:
    alone = seen(PROMISED)
    assert learned(PROMISED).factor == 1.0
    assert learned(PROMISED).judged(alone) is alone


@pytest.mark.parametrize("error", [0.16, 0.3])
def test_a_network_that_is_always_contradicted_is_as_unsure_as_it_errs(error: float) -> None:
    judged = learned(error).judged(seen(error))
    assert float(np.median(judged.error)) == pytest.approx(error, rel=0.3)


def test_a_few_pairs_say_nothing_of_the_network() -> None:
    """Their motion may be what errs."""
    measured = learned(PROMISED, pairs=12)
    for seed in range(4):
        measured.measured(compared(seen(0.3, seed)))
    measured.measured(None)
    assert measured.factor == 1.0
    assert learned(0.3, pairs=8).factor == 1.0


def test_depth_is_triangulated_where_the_network_is_known_to_be_bad() -> None:
    alone = seen(0.3)
    judged = learned(0.3).judged(alone)
    errors = []
    for believed in (alone, judged):
        found = compared(believed)
        joined = join(triangulated(), believed, found, found.scale)
        ratio = joined.inverse / truth()
        errors.append(float(np.abs(ratio / np.median(ratio) - 1).mean()))
    assert errors[1] < 0.02 < 2 * errors[1] < errors[0]
    assert compared(judged).sound
