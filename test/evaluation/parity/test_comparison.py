# SPDX-License-Identifier: Apache-2.0
"""If these fail, a network that went wrong is reported as right."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dens3r_ros.evaluation.parity.comparison import (
    absolute,
    angular,
    at_most,
    not_compared,
    of_scale,
    share_differing,
)


def test_error_is_a_share_of_the_largest_published_value() -> None:
    published = np.array([1.0, -50.0, 3.0])
    off = of_scale("case", "out", torch.tensor([1.0, -50.0, 3.02]), published)
    assert off.error == pytest.approx(0.02 / 50, rel=1e-4) and not off.passed
    assert of_scale("case", "out", [1.0, -50.0, 3.004], published).passed


@pytest.mark.parametrize("value", [[1.0, math.nan], [1.0, math.inf], [1.0], [[1.0, 2.0]]])
def test_what_cannot_be_compared_does_not_pass(value: list) -> None:
    assert not of_scale("", "out", value, np.array([1.0, 2.0])).passed
    assert not not_compared("", "out", "why").passed


def test_the_same_infinities_are_the_same() -> None:
    assert of_scale("", "out", [math.inf, 1.0], [math.inf, 1.0]).passed
    assert not of_scale("", "out", [-math.inf, 1.0], [math.inf, 1.0]).passed


def test_angles_are_in_degrees() -> None:
    a = math.radians(0.2)
    off = angular("", "normal", [[math.sin(a), 0.0, math.cos(a)]], [[0.0, 0.0, 1.0]])
    assert off.error == pytest.approx(0.2, rel=1e-3) and not off.passed
    assert angular("", "normal", [[0.0, 0.0, -1.0]], [[0.0, 0.0, 1.0]]).error == pytest.approx(180)


def test_one_wrong_entry_is_enough() -> None:
    assert share_differing("", "mask", [1, 2, 3, 5], [1, 2, 3, 4]).error == 0.25
    assert not share_differing("", "mask", [1, 2, 3, 5], [1, 2, 3, 4]).passed
    assert share_differing("", "mask", torch.tensor([True, False]), [True, False]).passed


def test_limits() -> None:
    assert at_most("", "error", 0.9, 1.0).passed and not at_most("", "error", 1.1, 1.0).passed
    assert absolute("", "flow", [100.5], [100.0], 1.0, "pixels").passed
