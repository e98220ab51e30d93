# SPDX-License-Identifier: Apache-2.0
"""If these fail, photo collections are measured on pictures that are not what they say."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.scenes.photo_walk import APART, photo_walk
from dens3r_ros.sources.opening import open_source
from dens3r_ros.sources.source import SourceError


def test_one_in_ten_is_of_another_place_and_the_rest_hang_together() -> None:
    photos = photo_walk(seed=5, count=40)
    assert (photos.hall > 0).sum() == 4
    here = photos.poses[photos.hall == 0]
    steps = np.linalg.norm(here[:, None, :3, 3] - here[None, :, :3, 3], axis=-1)
    steps += 100 * np.eye(len(here))
    assert steps.min(1).max() < 2.5, "each was taken some steps from another"
    strange = photos.poses[photos.hall > 0]
    gaps = np.linalg.norm(strange[:, None, :3, 3] - here[None, :, :3, 3], axis=-1)
    assert gaps.min() > 0.9 * APART
    assert len({camera.fx for camera in photos.cameras}) == 3


def test_a_photo_is_the_same_whenever_it_is_asked_for() -> None:
    name = "procedural:photos?seed=2&count=5&size=64x48"
    one, again = open_source(name), open_source(name)
    assert np.array_equal(one[3].image, again[3].image) and one[3].camera == "photo0003"
    truth = one.truth(3)
    assert truth is not None and np.isfinite(truth.depth).mean() > 0.9
    assert truth.depth.shape == (48, 64) and one[3].stamp == 3_000_000_000


def test_what_is_not_understood_is_told() -> None:
    with pytest.raises(SourceError, match="no option 'frames'"):
        open_source("procedural:photos?frames=3")
