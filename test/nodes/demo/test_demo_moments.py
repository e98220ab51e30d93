# SPDX-License-Identifier: Apache-2.0
"""If these fail, the demo's picture shows the depth of one moment beside the image of another."""

import numpy as np

from dens3r_ros.nodes.demo.moments import Moments, variety

WALL = np.full((64, 64), 2.0, np.float32)
ROOM = np.where(np.arange(64) < 32, 1.0, 4.0).astype(np.float32) * np.ones((64, 1), np.float32)


def test_the_most_telling_whole_moment_is_kept():
    moments = Moments(("image", "depth"))
    for stamp, depth in ((1, WALL), (2, ROOM), (3, WALL)):
        moments.add("image", stamp, f"image {stamp}")
        moments.add("depth", stamp, f"depth {stamp}", depth)
    assert moments.shown == {"image": "image 2", "depth": "depth 2"}


def test_nothing_is_shown_of_different_moments():
    moments = Moments(("image", "depth"))
    for stamp in range(1000):
        moments.add("image", stamp, stamp)
    moments.add("depth", 0, 0, ROOM)
    assert moments.shown == {}
    moments.add("depth", 999, 999, ROOM)
    assert moments.shown == {"image": 999, "depth": 999}


def test_gaps_show_less():
    assert variety(WALL) == 0 and variety(np.full_like(ROOM, np.nan)) == 0
    assert 0 < variety(np.where(np.arange(64)[:, None] < 32, ROOM, np.nan)) < variety(ROOM)
