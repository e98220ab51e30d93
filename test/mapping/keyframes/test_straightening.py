# SPDX-License-Identifier: Apache-2.0
"""Bent depth drifts scales and doubles walls; straightening must mend the shape and only that."""

import numpy as np
import pytest

from dens3r_ros.geometry import tangents
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.keyframes.straightening import straighten
from dens3r_ros.mapping.tracking.depth.fusion import Canonical
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.matching import unit
from dens3r_ros.mapping.tracking.refinement import NO_PIXELS, Texture
from dens3r_ros.mapping.tracking.track import Sightings, Track

CAMERA = Intrinsics(400.0, 400.0, 159.5, 119.5, 320, 240)
RAYS = pixel_rays(CAMERA).numpy()


def true_depth() -> np.ndarray:
    x, y = np.meshgrid(np.linspace(-1, 1, 320), np.linspace(-1, 1, 240))
    return (2.5 + 0.6 * x + 0.3 * np.sign(np.sin(5 * x) * np.sin(4 * y))).astype(np.float32)


def warp(strength: float) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, 1, 320), np.linspace(0, 1, 240))
    return (strength * np.sin(4 * x + 1) * np.cos(3 * y)).astype(np.float32)


def keyframe_of(depth: np.ndarray) -> Keyframe:
    canonical = Canonical(RAYS * depth[..., None], np.full((240, 320), 5.0, np.float32))
    texture = Texture(np.zeros((240, 320), np.uint8), NO_PIXELS)
    return Keyframe(0, None, canonical, CAMERA, True, texture)


def tracks(random: np.random.Generator, count: int, shift: float) -> list[Track]:
    """Frames moved by `shift` metres that see true points with a third of a pixel of noise."""
    points = RAYS * true_depth()[..., None]
    found = []
    for _ in range(count):
        T = tangents.exp(random.normal(0, [shift] * 3 + [0.03] * 3))
        x, y = random.integers(8, 312, 300), random.integers(8, 232, 300)
        rays = unit(points[y, x] @ T[:3, :3].T + T[:3, 3])
        rays = unit(rays + random.normal(0, 0.3 / 400, rays.shape))
        seen = Sightings(np.stack((x, y), 1), rays, np.ones(300), 1 / 400)
        T_back = np.linalg.inv(T)
        found.append(
            Track(T_back, T_back, 1.0, np.eye(6), 1.0, 1.0, shift / 2.5, seen, seen, shape=seen)
        )
    return found


def bend(keyframe: Keyframe) -> float:
    """Spread of the relative depth error, whatever the unit."""
    return float(np.std(np.log(keyframe.canonical.points[..., 2] / true_depth())))


def test_bent_depth_is_straightened_and_keeps_its_unit() -> None:
    keyframe = keyframe_of(true_depth() * np.exp(warp(0.04)))
    unit_before = np.log(keyframe.canonical.points[..., 2]).mean()
    before = bend(keyframe)
    straighten(keyframe, tracks(np.random.default_rng(0), 6, 0.2), TrackingConfig())
    assert bend(keyframe) < 0.4 * before
    unit_after = np.log(keyframe.canonical.points[..., 2]).mean()
    assert unit_after == pytest.approx(unit_before, abs=1e-4)


def test_right_depth_stays_right() -> None:
    keyframe = keyframe_of(true_depth())
    straighten(keyframe, tracks(np.random.default_rng(1), 6, 0.2), TrackingConfig())
    assert bend(keyframe) < 0.004


def test_without_parallax_nothing_is_made_up() -> None:
    keyframe = keyframe_of(true_depth() * np.exp(warp(0.04)))
    before = bend(keyframe)
    straighten(keyframe, tracks(np.random.default_rng(2), 6, 0.0005), TrackingConfig())
    assert bend(keyframe) < 1.05 * before
