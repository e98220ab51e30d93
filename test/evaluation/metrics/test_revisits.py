# SPDX-License-Identifier: Apache-2.0
"""Walls that stand twice in the map must show in the figures."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.evaluation.metrics.revisits import Visit, second_pass
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.mapping.update import KeyframeView
from dens3r_ros.sources.source import Truth

LENS = Intrinsics(100.0, 100.0, 79.5, 59.5, 160, 120)


def visit(number: int, x: float, mapped_at: float, unit: float = 1.0) -> Visit:
    """A camera at x before a wall at 3 m, put into the map `mapped_at` metres further away."""
    T = np.eye(4)
    T[0, 3] = x
    depth = np.full((120, 160), 3.0, np.float32)
    lens = LENS.resized(40, 30)
    points = pixel_rays(lens).numpy() * np.float32(3.0 / unit)
    confidence = np.full((30, 40), 3.0, np.float32)
    colours = np.zeros((30, 40, 3), np.uint8)
    view = KeyframeView(
        number, number, "camera", T, lens, False, (), 0, lambda: (points, confidence, colours)
    )
    S = np.diag([unit, unit, unit, 1.0]) @ np.eye(4)
    S[:3, 3] = x, 0, mapped_at
    return Visit(view, S, Truth(depth, T), LENS)


def test_walls_that_stand_twice_are_told_from_those_that_do_not() -> None:
    there = [visit(n, 0.2 * n, 0.0) for n in range(3)]
    again = [visit(3 + n, 0.2 * n, 0.02, unit=2.0) for n in range(3)]
    share, count = second_pass([*there, *again], gap=3, confidence=1.5)
    assert share == 1
    assert count > 1000
    doubled = [visit(3 + n, 0.2 * n, 0.1) for n in range(3)]
    assert second_pass([*there, *doubled], gap=3, confidence=1.5)[0] == 0


def test_nothing_is_said_of_what_was_seen_once() -> None:
    share, count = second_pass([visit(n, 20.0 * n, 0.0) for n in range(6)], 3, 1.5)
    assert count == 0
    assert share != pytest.approx(share)
