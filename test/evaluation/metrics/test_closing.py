# SPDX-License-Identifier: Apache-2.0
"""A wrong loop that is not counted, or an end that is not measured, hides a bent map."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.evaluation.metrics.closing import end_error, wrong_loops
from dens3r_ros.mapping.graph.graph import Edge


def at(x: float, unit: float = 1.0) -> np.ndarray:
    S = np.eye(4)
    S[:3, :3] *= unit
    S[0, 3] = x
    return S


def test_the_end_is_seen_from_the_start_in_metres() -> None:
    truth = np.array([at(1.0), at(2.0), at(1.0)])
    estimated = np.array([at(0.0), at(0.5), at(0.05)])
    assert end_error(estimated, truth, scale=2.0) == pytest.approx(0.1)


def test_loops_between_places_that_look_alike_are_wrong() -> None:
    units = {0: at(0.0, 0.5), 1: at(4.0), 2: at(8.0)}
    truth = {0: at(0.0), 1: at(4.0), 2: at(8.0)}
    right = Edge(0, 1, at(8.0), np.eye(7), loop=True)
    alike = Edge(0, 2, at(0.0), np.eye(7), loop=True)
    back = Edge(2, 0, at(0.0), np.eye(7), loop=True)
    assert wrong_loops([right], units, truth, 1.0) == 0
    assert wrong_loops([right, alike, back], units, truth, 1.0) == 1
