# SPDX-License-Identifier: Apache-2.0
"""Wrong masks or flow would blame the mapper's motion masks for the faults of the truth."""

import numpy as np
import pytest

from dens3r_ros.scenes import open_walk
from dens3r_ros.sources import open_source

SIZE = {"width": 64, "height": 48}


@pytest.fixture(scope="module")
def crowd():
    return open_walk("crowd", seed=3, frames=120, **SIZE)


def test_without_movers_the_walk_is_the_same_and_nobody_is_in_it(crowd):
    empty = open_walk("crowd", seed=3, frames=120, movers=False, **SIZE)
    np.testing.assert_array_equal(empty.trajectory.poses(), crowd.trajectory.poses())
    with_people, without = crowd.render(60), empty.render(60)
    assert with_people.motion.moving.mean() > 0.05
    assert not without.motion.moving.any()
    still = with_people.part < 0
    np.testing.assert_allclose(with_people.depth[still], without.depth[still], rtol=1e-5)
    assert (with_people.depth[~still] <= without.depth[~still] + 1e-4).all()


def test_flow_lands_on_the_same_part_of_the_same_person(crowd):
    a, b = crowd.render(60), crowd.render(63)
    flow = crowd.flow(a, 60, 63)
    assert np.isfinite(flow).all(), "indoors every pixel shows something"
    v, u = np.mgrid[:48, :64]
    x, y = np.rint(u + flow[..., 0]).astype(int), np.rint(v + flow[..., 1]).astype(int)
    inside = (x >= 0) & (x < 64) & (y >= 0) & (y < 48)
    for group in (a.part >= 0, a.part < 0):
        chosen = inside & group
        same = b.part[y[chosen], x[chosen]] == a.part[chosen]
        assert same.mean() > 0.7, "but for what became hidden and edges"


def test_velocity_is_the_flow_without_the_cameras_own(crowd):
    frame = crowd.render(60)
    assert np.linalg.norm(frame.motion.velocity, axis=-1).max() < 7.0
    assert not frame.motion.velocity[~frame.motion.moving].any()


def test_screens_change_but_nothing_of_them_moves():
    walk = open_walk("crowd", seed=3, frames=120, movers=False, **SIZE)
    screens = walk.movers
    looks = [screens.shapes(k / 10).material.numpy() for k in range(20)]
    assert np.std(looks, axis=0).max() > 0.01
    assert not any(screens.moves(k / 10).any() for k in range(20))


def test_the_door_is_open_when_the_camera_comes_through():
    walk = open_walk("door", seed=1, frames=700, **SIZE)
    door = next(actor for actor in walk.movers.actors if hasattr(actor, "angle"))
    assert door.angle(6.0) == 0.0
    through = int(np.argmin(np.abs(walk.trajectory.position[200:500, 1]))) + 200
    assert door.angle(through / walk.rate) > 2.0
    for index in range(through - 75, through + 75, 15):
        assert walk.render(index).depth.min() > 0.3


def test_vehicles_pass_on_the_street():
    walk = open_walk("street-cars", seed=1, frames=90, **SIZE)
    seen = [walk.render(index).motion for index in (0, 45)]
    assert max(np.linalg.norm(one.velocity, axis=-1).max() for one in seen) > 3.0


def test_the_source_tells_what_moves_and_can_leave_it_out():
    source = open_source("procedural:crowd?seed=3&frames=60&size=64x48")
    truth = source.truth(20)
    assert truth.moving.shape == (48, 64) and truth.velocity.shape == (48, 64, 3)
    assert source.flow(20, 21).shape == (48, 64, 2)
    empty = open_source("procedural:crowd?seed=3&frames=60&size=64x48&movers=0")
    assert not empty.truth(20).moving.any()
