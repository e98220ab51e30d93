# SPDX-License-Identifier: Apache-2.0
"""If these fail, a machine that is in a hurry maps the wrong depth, or maps of another size than
its images."""

from __future__ import annotations

import numpy as np

from dens3r_ros.engines.geometric import GeometricEngine
from dens3r_ros.engines.protocol import HurriedEngine, Outputs
from dens3r_ros.sources.opening import open_source


def test_a_hurried_pair_tells_much_the_same_of_the_whole_image() -> None:
    walk = open_source("procedural:walk?seed=71&frames=200&size=480x361")
    engine = GeometricEngine()
    a, b = engine.encode([walk[10], walk[22]])
    exact = engine.decode([(a, b)], Outputs())
    assert isinstance(engine, HurriedEngine)
    engine.hurried = True
    rough = engine.decode([(a, b)], Outputs())
    for name in ("points_a", "points_b", "normals_a", "pixels_b_in_a", "pixels_confidence"):
        assert getattr(rough, name).shape == getattr(exact, name).shape
    sure = (exact.confidence_a > 1.5) & (rough.confidence_a > 1.5)
    assert float(sure.float().mean()) > 0.3
    ratio = (rough.points_a[..., 2] / exact.points_a[..., 2])[sure].numpy()
    assert np.median(np.abs(ratio / np.median(ratio) - 1)) < 0.03
    landed = (rough.pixels_b_in_a - exact.pixels_b_in_a).norm(dim=-1)
    assert float(landed[exact.pixels_confidence > 1.5].median()) < 0.7


def test_small_images_are_looked_at_whole_all_the_same() -> None:
    walk = open_source("procedural:walk?seed=71&frames=40&size=160x120")
    engine = GeometricEngine()
    pair = tuple(engine.encode([walk[10], walk[22]]))
    exact = engine.decode([pair], Outputs())
    engine.hurried = True
    assert np.array_equal(exact.points_a, engine.decode([pair], Outputs()).points_a)
