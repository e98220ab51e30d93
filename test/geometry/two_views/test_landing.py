# SPDX-License-Identifier: Apache-2.0
"""Where depth puts a pixel must be where triangulation finds that depth, or second looks begin in
the wrong place."""

import numpy as np

from dens3r_ros.geometry.two_views.triangulation import landing_of, triangulate


def test_what_lands_by_its_depth_is_triangulated_there() -> None:
    K = np.array([[100.0, 0, 32], [0, 100, 24], [0, 0, 1]])
    K_other = np.array([[90.0, 0, 30], [0, 95, 25], [0, 0, 1]])
    T = np.eye(4)
    T[:3, 3] = 0.3, -0.1, -0.4
    T[:2, :2] = (0.995, -0.0999), (0.0999, 0.995)
    inverse = np.random.default_rng(0).uniform(0.1, 0.6, (48, 64)).astype(np.float32)
    told = triangulate(*landing_of(inverse, K, K_other, T), K, K_other, T)
    sure = told.pixels_per_unit > 5
    assert sure.mean() > 0.9
    np.testing.assert_allclose(told.inverse_depth[sure], inverse[sure], rtol=2e-3)
    assert told.epipolar.max() < 1e-2
