# SPDX-License-Identifier: Apache-2.0
"""If these fail, an upright photo beside one that lies ends a run with an error of OpenCV."""

from __future__ import annotations

import numpy as np

from dens3r_ros.engines.geometric import GeometricEngine
from dens3r_ros.engines.protocol import Outputs
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.places.place import Places
from dens3r_ros.sources.opening import open_source


def test_images_of_two_shapes_are_compared() -> None:
    source = open_source("procedural:walk?seed=3&frames=60&size=160x120")
    engine = GeometricEngine()
    wide, other = source[0], source[8]
    assert other.intrinsics is not None
    narrow = Frame(
        np.ascontiguousarray(other.image[:, 30:130]),
        other.stamp,
        "other",
        other.intrinsics.cropped(30, 0, 100, 120),
    )
    a, b, whole = engine.encode([wide, narrow, other])
    found = engine.decode([(a, b)], Outputs())
    usual = engine.decode([(a, whole)], Outputs())
    assert found.points_a is not None and found.points_a.shape == (1, 120, 160, 3)
    assert found.points_b is not None and found.points_b.shape == (1, 120, 100, 3)
    assert found.pixels_b_in_a is not None and usual.pixels_b_in_a is not None
    off = (found.pixels_b_in_a[0] - usual.pixels_b_in_a[0, :, 30:130]).norm(dim=-1)
    assert float(off.median()) < 0.5, "what lies where does not depend on the shape"


def test_tiny_images_are_asked_for_too() -> None:
    places = Places()
    source = open_source("procedural:walk?seed=3&frames=60&size=160x120")
    places.add(0, source[0].image)
    for size in ((1, 1), (3, 40), (400, 2), (17, 17)):
        assert len(places.query(np.zeros((*size, 3), np.uint8), 3)) == 1
