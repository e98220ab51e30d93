# SPDX-License-Identifier: Apache-2.0
"""If these fail, keyframes are made at the wrong turn and rotation errors are misreported."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.rotation import turn

vectors = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array).filter(lambda v: np.linalg.norm(v) > 0.1)


@given(vectors, st.floats(0.001, np.pi - 0.001))
def test_a_turn_is_the_angle_it_was_made_of(axis: np.ndarray, angle: float) -> None:
    R = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix()
    assert abs(turn(R) - angle) < 1e-6
    assert np.allclose(turn(np.stack([R, R.T, np.eye(3)])), [angle, angle, 0], atol=1e-6)
