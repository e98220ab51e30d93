# SPDX-License-Identifier: Apache-2.0
"""If this fails, keyframes' depth is averaged with that of other surfaces, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.reconstruction.refinement.consistency import averaged

CAMERA = Intrinsics(8, 8, 3.5, 2.5, 8, 6)


def test_depth_is_averaged_with_what_is_of_the_same_surface() -> None:
    points = pixel_rays(CAMERA).numpy().astype(np.float32) * np.float32(2)
    near, other = np.full((6, 8), 2.06, np.float32), np.full((6, 8), 2.5, np.float32)
    near[0, 0] = 0
    factors = averaged(points, [np.eye(4)] * 2, [(near, CAMERA), (other, CAMERA)])
    assert factors[0, 0] == 1, "nobody else knows it"
    assert factors[3, 3] == pytest.approx(1.015, abs=1e-4), "what lies elsewhere counts nothing"
