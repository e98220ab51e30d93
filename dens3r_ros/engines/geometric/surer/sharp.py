# SPDX-License-Identifier: Apache-2.0
"""The motion between two views once more, by sharp corners alone.

Flow is smooth: beside what moves, and where little can be told apart, it follows what moves, and
tracks that are taken off it bend the motion of the views without looking wrong. Corners that stand
out can be followed each for itself. They are fewer, and say whether the motion that flow tells is
to be believed, and which one is where it is not.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dens3r_ros.engines.geometric.correspondence import Correspondence
from dens3r_ros.engines.geometric.features import ImageFeatures
from dens3r_ros.engines.geometric.motion import motion_between
from dens3r_ros.engines.geometric.moving import Moving, near_tracks
from dens3r_ros.geometry.two_views.following import followed
from dens3r_ros.geometry.two_views.two_view import Cameras, Pose, epipolar_misses
from dens3r_ros.geometry.two_views.two_view_search import Likeliest

_WINDOW = 11
_LEVELS = 1
_HOME = 0.3
"""Pixels within which a corner must come back to itself."""
_FEW = 30
"""Corners that are enough to tell a motion, and of which fewer have no say."""
_AGREES = 0.5
"""Pixels from its epipolar line within which a corner bears out a motion."""
_BORNE_OUT = 0.95
"""Share of the corners that must, before the motion is left as it is."""
_AT_ONE = 0.7
"""Share of the corners that must agree on their own motion: where clothes stand out and walls do
not, they are of several motions, and flow, which is everywhere, tells it better."""
_NEAR = 1.0
"""Pixels from its line within which what flow tells belongs to the motion of the corners."""


def surest_motion(
    views: tuple[ImageFeatures, ImageFeatures],
    found: Correspondence,
    likeliest: Likeliest | None,
    cameras: Cameras,
    moving: Moving,
    near: Pose | None,
) -> Likeliest | None:
    """The motion that flow tells, unless sharp corners contradict it and agree on another one: then
    theirs, with what of the flow agrees."""
    if len(views[0].sharp) < _FEW:
        return likeliest
    a, b = _tracks(*views, found, cameras, moving, near)
    if len(a) < _FEW or (
        likeliest is not None and _agreeing(a, b, likeliest, cameras) > _BORNE_OUT
    ):
        return likeliest
    size = views[0].grey.shape
    alone = Correspondence(found.flow, a, b, len(a), None)
    by_corners = motion_between(alone, cameras, size, least=_FEW)
    if by_corners is None or _agreeing(a, b, by_corners, cameras) < _AT_ONE:
        return likeliest
    pose = _pose(by_corners)
    agree = epipolar_misses(found.pixels_a, found.pixels_b, pose, cameras) < _NEAR
    joined = replace(
        alone,
        pixels_a=np.concatenate([found.pixels_a[agree], a]),
        pixels_b=np.concatenate([found.pixels_b[agree], b]),
        pose=pose,
    )
    return motion_between(joined, cameras, size)


def _tracks(
    a: ImageFeatures,
    b: ImageFeatures,
    found: Correspondence,
    cameras: Cameras,
    moving: Moving,
    near: Pose | None,
) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) pixels of the sharpest corners of a, and where they are in b."""
    pixels = a.sharp
    x, y = pixels.astype(int).T
    there, seen = followed(
        a.grey, b.grey, pixels, pixels + found.flow.forward[y, x], _WINDOW, _LEVELS
    )
    back, returned = followed(b.grey, a.grey, there, pixels, _WINDOW, _LEVELS)
    kept = seen & returned & (np.linalg.norm(back - pixels, axis=1) < _HOME)
    pixels, there = pixels[kept].astype(np.float64), there[kept].astype(np.float64)
    if moving.known:
        still = moving.still(pixels, there)
        pixels, there = pixels[still], there[still]
    agree = near_tracks(pixels, there, near, cameras)
    return (pixels, there) if agree is None else (pixels[agree], there[agree])


def _agreeing(a: np.ndarray, b: np.ndarray, motion: Likeliest, cameras: Cameras) -> float:
    """Share of the corners that lie where a motion puts them."""
    return float((epipolar_misses(a, b, _pose(motion), cameras) < _AGREES).mean())


def _pose(motion: Likeliest) -> Pose:
    return motion.view.T_b_a[:3, :3], motion.view.T_b_a[:3, 3]
