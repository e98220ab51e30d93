# SPDX-License-Identifier: Apache-2.0
"""If these fail, a robot takes a table for the floor, or never learns what its camera's height
tells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from updates import tracked

from dens3r_ros.engines.protocol import Placement
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.mapping.maps import Maps
from dens3r_ros.mapping.metric.height import HeightScale
from dens3r_ros.mapping.tracking.observation import ViewMaps
from dens3r_ros.mapping.update import Update
from dens3r_ros.scenes.walk import Walk, open_walk

UNIT = 0.4
"""Metres of the mapper's unit."""
NOISE = 0.02


@pytest.fixture(scope="module")
def hall():
    return open_walk("walk", seed=6, frames=300, width=96, height=72)


def looking_up(walk: Walk) -> Walk:
    """The same walk by somebody who looks where no floor is."""
    path = walk.trajectory
    return replace(walk, trajectory=replace(path, pitch=path.pitch + np.radians(45)))


def update(walk: Walk, index: int) -> Update:
    frame = walk.render(index)
    random = np.random.RandomState(index)
    depth = frame.depth * (1 + NOISE * random.standard_normal(frame.depth.shape))
    points = (pixel_rays(walk.intrinsics).numpy() * depth[..., None] / UNIT).astype(np.float32)
    confidence = np.where(frame.depth > 0, 10, 1).astype(np.float32)
    size = frame.depth.shape
    T = frame.T_world_camera.copy()
    T[:3, 3] /= UNIT
    return tracked(
        T,
        stamp=round(index * 1e9 / walk.rate),
        maps=Maps(
            lambda: ViewMaps(points, confidence, None), 1.0, Placement(size, size, 0, 0, size)
        ),
    )


def learned(walk: Walk, height: float = 1.5) -> HeightScale:
    scale = HeightScale()
    for index in range(0, len(walk), 15):
        scale.add(update(walk, index), height)
    return scale


def test_the_height_above_a_floor_tells_metres(hall) -> None:
    found = learned(hall)
    assert found.scale == pytest.approx(UNIT, rel=0.03)
    assert 0 < found.sigma < 0.05
    assert "from height" in found.progress()


def test_without_a_floor_in_view_nothing_is_said(hall) -> None:
    found = learned(looking_up(hall))
    assert found.scale is None
    assert "waiting for height" in found.progress()


def test_looks_from_one_place_are_not_enough(hall) -> None:
    scale, one = HeightScale(), update(hall, 0)
    for number in range(20):
        assert not scale.add(replace(one, stamp=number * 10**9), 1.5)
    assert "from one place" in scale.progress()


def test_another_epoch_has_another_unit(hall) -> None:
    found = learned(hall)
    assert found.scale is not None
    found.add(replace(update(hall, 0), epoch=1), 1.5)
    assert found.scale is None
