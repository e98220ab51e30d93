# SPDX-License-Identifier: Apache-2.0
"""Poses are joined, and loops believed or refused, by these: a wrong digit bends the map."""

import numpy as np
import pytest
import torch

from dens3r_ros.geometry import sim3, tangents


@pytest.mark.parametrize("size", [0.0, 1e-9, 1e-4, 0.1, 1.0])
def test_one_at_a_time_is_the_same_as_many(size) -> None:
    random = np.random.default_rng(0)
    for tangent in size * random.normal(0, 1, (50, 7)):
        S = sim3.sim3_exp(torch.from_numpy(tangent)).numpy()
        assert np.abs(tangents.exp(tangent) - S).max() < 1e-12
        assert np.abs(tangents.log(S) - tangent).max() < 1e-9
        assert np.abs(tangents.adjoint(S) - sim3.adjoint(torch.from_numpy(S)).numpy()).max() < 1e-12


def test_a_tangent_without_scale_is_a_rigid_motion() -> None:
    tangent = np.array([0.1, -0.2, 0.3, 0.5, 0.4, -0.3])
    assert np.abs(tangents.exp(tangent) - tangents.exp(np.append(tangent, 0.0))).max() < 1e-15


def test_a_turn_by_nearly_half_a_circle_comes_back() -> None:
    tangent = np.array([1.0, 2.0, -1.0, 0.0, 3.14, 0.0, 0.2])
    assert np.abs(tangents.log(tangents.exp(tangent)) - tangent).max() < 1e-9
