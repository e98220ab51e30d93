# SPDX-License-Identifier: Apache-2.0
"""If these fail, who drives fast is tracked against what has gone from view, and the scale of the
map drifts; or keyframes are made where none is needed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dens3r_ros.mapping.config import KeyframeConfig
from dens3r_ros.mapping.keyframes.window import leapt
from dens3r_ros.mapping.tracking.matching import weighted_median


def seen(matched: float) -> SimpleNamespace:
    return SimpleNamespace(matched=matched)


@pytest.mark.parametrize(
    ("before", "now", "far"), [(0.8, 0.2, True), (0.52, 0.48, False), (0.95, 0.55, False)]
)
def test_the_frame_before_serves_better_once_much_is_gone_at_once(before, now, far) -> None:
    last = SimpleNamespace(found=seen(before))
    assert leapt(seen(now), last, KeyframeConfig()) == far


def test_without_a_frame_before_nothing_serves_better() -> None:
    assert not leapt(seen(0.1), None, KeyframeConfig())
    assert not leapt(seen(0.1), SimpleNamespace(found=None), KeyframeConfig())


def test_half_of_the_weight_lies_on_either_side() -> None:
    values = np.array([3.0, 1.0, 2.0, 10.0])
    assert weighted_median(values, np.array([1.0, 1.0, 1.0, 0.1])) == 2.0
    assert weighted_median(values, np.array([1.0, 1.0, 1.0, 9.0])) == 10.0
