# SPDX-License-Identifier: Apache-2.0
"""Two cameras and their scene from one pair in both directions (`pairviewer.npz`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch

from dens3r_ros.evaluation.parity.comparison import Comparison, of_scale, share_differing
from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.geometry.matching import reciprocal_points
from dens3r_ros.geometry.pair_scene import DirectedPair, scene_from_pair
from dens3r_ros.geometry.pointmap import focal_from_points

NAME = "pair scene"
# The published pose comes of a random search among pixels.
_POSE_TOLERANCE = 1e-3
_METHODS: tuple[Literal["weiszfeld", "median"], ...] = ("weiszfeld", "median")


def recognises(fixture: Fixture) -> bool:
    """Whether the file holds a pair in both directions and its scene."""
    return {"edges", "pts1", "pts2", "out_poses", "focal_weiszfeld"} <= fixture.names


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Cameras, depth and points of the scene, focal lengths, reciprocal points."""
    scene = scene_from_pair(*_directions(fixture))
    focals = [camera.fx for camera in scene.intrinsics]
    ours = {
        "out_poses": scene.T_world_camera,
        "out_depth": torch.stack(scene.depths),
        "out_pts3d": torch.stack(scene.points),
    }
    for name, value in ours.items():
        yield of_scale("", name, value, fixture.array(name), _POSE_TOLERANCE)
    yield of_scale("", "out_focals", focals, fixture.array("out_focals"))
    for method in _METHODS:
        found = focal_from_points(fixture.tensor("pts1"), method=method)
        yield of_scale("", f"focal_{method}", found, fixture.array(f"focal_{method}"))
    points_a, points_b = (fixture.tensor(key)[0].reshape(-1, 3)[::3] for key in ("pts1", "pts2"))
    mask, nearest = reciprocal_points(points_a, points_b)
    yield share_differing("", "recip_mask_in_P2", mask, fixture.array("recip_mask_in_P2"))
    yield share_differing("", "recip_nn2_in_P1", nearest, fixture.array("recip_nn2_in_P1"))


def _directions(fixture: Fixture) -> tuple[DirectedPair, DirectedPair]:
    directions = {}
    for edge, (first, _) in enumerate(fixture.array("edges").tolist()):
        maps = (fixture.tensor(name)[edge] for name in ("pts1", "pts2", "conf1", "conf2"))
        directions[first] = DirectedPair(*maps)
    return directions[0], directions[1]
