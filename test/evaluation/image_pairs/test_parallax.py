# SPDX-License-Identifier: Apache-2.0
"""Without these, coverage could be counted over pixels of which two views can tell nothing."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.evaluation.image_pairs.pair_sets import TruePair
from dens3r_ros.evaluation.image_pairs.parallax import parallax_pixels
from dens3r_ros.evaluation.image_pairs.true_maps import true_maps
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.sources import Truth

CAMERA = Intrinsics(60.0, 60.0, 29.5, 19.5, 60, 40)
WALL = 2.0


def pair(aside: float, depth_b: np.ndarray | None = None) -> TruePair:
    """A wall two metres ahead, seen by two cameras side by side."""
    image, depth = np.zeros((40, 60, 3), np.uint8), np.full((40, 60), WALL, np.float32)
    T_world_b = np.eye(4)
    T_world_b[0, 3] = aside
    frames = (Frame(image, stamp, intrinsics=CAMERA) for stamp in (0, 1))
    truths = Truth(depth, np.eye(4)), Truth(depth if depth_b is None else depth_b, T_world_b)
    return TruePair(*frames, *truths)


def found(pair: TruePair) -> np.ndarray:
    return parallax_pixels(pair, true_maps(pair))


def test_what_leaves_the_other_image_does_not_count():
    columns = found(pair(aside=0.2)).all(axis=0)
    shift = round(0.2 / WALL * CAMERA.fx)
    assert not columns[:shift].any() and columns[shift:].all()


@pytest.mark.parametrize(("degrees", "counts"), [(0.8, False), (1.2, True)])
def test_one_degree_is_asked_for(degrees, counts):
    seen = found(pair(aside=WALL * np.tan(np.radians(degrees))))
    assert seen[20, 30] == counts


def test_what_is_hidden_or_unknown_in_the_other_view_does_not_count():
    depth = np.full((40, 60), WALL, np.float32)
    depth[:10], depth[30:] = 1.0, np.nan
    rows = found(pair(aside=0.2, depth_b=depth))[:, 30]
    assert not rows[:10].any() and not rows[30:].any() and rows[10:30].all()
