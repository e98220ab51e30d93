# SPDX-License-Identifier: Apache-2.0
"""A camera that nobody calibrated would be taken for a wider or narrower one than it is, though the
network sees in every image what lens it has."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.engines.geometric.correspondence import Correspondence
from dens3r_ros.engines.geometric.features import image_features
from dens3r_ros.engines.geometric.motion import motion_between
from dens3r_ros.engines.hybrid.alone import Alone, Encoded
from dens3r_ros.engines.hybrid.lens import ToldLens
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.two_views.flow import TwoWayFlow

SIZE = (240, 320)


def told(*focals: float) -> ToldLens:
    lens = ToldLens()
    for focal in focals:
        lens.told(Intrinsics(focal, focal, 159.5, 119.5, 320, 240))
    return lens


def test_the_middle_of_many_images_is_surer_than_one_and_holds_at_any_size() -> None:
    one, many = told(250.0).guess(SIZE), told(*[240.0, 250.0, 260.0] * 5, 900.0).guess((480, 640))
    assert one is not None and many is not None
    assert one.focal == pytest.approx(250) and many.focal == pytest.approx(500)
    assert many.spread < 0.5 * one.spread


def test_an_image_counts_once_however_many_pairs_it_is_in() -> None:
    camera = Intrinsics(250.0, 250.0, 159.5, 119.5, 320, 240)
    seen = Alone(np.ones((2, 2), np.float32), np.ones((2, 2), np.float32), None, camera)
    lens, image = ToldLens(), Encoded(image_features(np.zeros((32, 32, 3), np.uint8)), lambda: seen)
    lens.ask(image)
    once = lens.guess(SIZE)
    lens.ask(image)
    assert once is not None and vars(lens.guess(SIZE)) == vars(once)


def test_nothing_told_is_no_guess() -> None:
    lens = ToldLens()
    lens.told(None)
    assert lens.guess(SIZE) is None


def test_a_motion_that_says_little_of_the_lens_stays_near_what_the_network_tells() -> None:
    """Sideways motion past a wall fits many lenses."""
    random = np.random.default_rng(0)
    focal = 420.0
    points = random.uniform((-1, -0.7, 2.5), (1, 0.7, 3.5), (400, 3))
    a = focal * points[:, :2] / points[:, 2:] + (159.5, 119.5)
    moved = points - (0.3, 0.02, 0)
    b = focal * moved[:, :2] / moved[:, 2:] + (159.5, 119.5)
    flow = TwoWayFlow(*[np.zeros((*SIZE, 2), np.float32)] * 2, *[np.zeros(SIZE, np.float32)] * 2)
    found = Correspondence(flow, a, b + random.normal(0, 0.2, b.shape), 400, None)
    guess = told(*[420.0] * 9).guess(SIZE)
    motion = motion_between(found, None, SIZE, guess)
    assert motion is not None
    assert motion.view.K_a[0, 0] == pytest.approx(focal, rel=0.03)
