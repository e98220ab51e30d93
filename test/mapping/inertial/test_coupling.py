# SPDX-License-Identifier: Apache-2.0
"""If these fail, an IMU tells a scale that is off by what a camera's small wrong turns pretend."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dens3r_ros.mapping.inertial.coupling import coupled

DEPTH = 4.0


def errors(count: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places and turns, in the map's axes, of a camera that mistakes turns for steps of what is
    `DEPTH` away, and errs by a millimetre beside that; and its axes."""
    random = np.random.RandomState(1)
    R = Rotation.from_rotvec(np.linspace(0, 2, count)[:, None] * np.eye(3)[2]).as_matrix()
    turn, rest = 1e-3 * random.standard_normal((count, 3)), random.standard_normal((count, 3))
    step = DEPTH * np.stack((-turn[:, 1], turn[:, 0], 0 * turn[:, 2]), -1) + 1e-3 * rest
    smooth = np.stack([np.sin(np.linspace(0, 3 + k, count)) for k in range(3)], -1)
    return smooth + np.einsum("nij,nj->ni", R, step), np.einsum("nij,nj->ni", R, turn), R


def test_what_goes_with_a_wrong_turn_is_found_and_what_is_left_too() -> None:
    seen, off, R = errors()
    seen[::40] += 0.3  # Some frames are anywhere.
    D, sigma = coupled(seen, off, R, np.zeros(len(R)))
    assert D[0, 1] == pytest.approx(-DEPTH, rel=0.1)
    assert D[1, 0] == pytest.approx(DEPTH, rel=0.1)
    assert np.abs(np.diag(D)).max() < 0.4
    assert sigma == pytest.approx([1e-3] * 3, rel=0.25)


def test_a_few_moments_tell_no_coupling() -> None:
    seen, off, R = errors(6)
    D, sigma = coupled(seen, off, R, np.arange(6))
    assert not D.any() and (sigma > 0).all()
