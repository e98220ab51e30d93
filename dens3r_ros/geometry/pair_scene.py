# SPDX-License-Identifier: Apache-2.0
"""Two cameras and their scene from one pair of images, predicted in both directions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.pointmap import focal_from_points
from dens3r_ros.geometry.pose import pose_from_points
from dens3r_ros.geometry.rays import unproject
from dens3r_ros.geometry.sim3 import act, inverse


@dataclass(frozen=True, eq=False)
class DirectedPair:
    """One direction: both views' points (H, W, 3) in a's optical frame, confidence (H, W)."""

    points_a: Tensor
    points_b: Tensor
    confidence_a: Tensor
    confidence_b: Tensor

    @property
    def score(self) -> float:
        """How much the prediction trusts itself."""
        return float(self.confidence_a.mean() * self.confidence_b.mean())


@dataclass(frozen=True, eq=False)
class PairScene:
    """Two views in the frame of the one whose direction is more confident."""

    T_world_camera: Tensor
    """(2, 4, 4) float64; one of the two is the identity."""
    intrinsics: tuple[Intrinsics, Intrinsics]
    depths: tuple[Tensor, Tensor]
    """(H, W) along each camera's optical axis."""
    points: tuple[Tensor, Tensor]
    """(H, W, 3) in the world's frame, on the pixels' rays."""


def scene_from_pair(
    forth: DirectedPair, back: DirectedPair, least_confidence: float = 3.0, seed: int = 0
) -> PairScene:
    """Views 0 and 1 from the predictions of (0, 1) and of (1, 0).

    Principal points are taken as (W / 2, H / 2), as the network family has them. Raises
    ValueError where no pose explains the pixels more confident than `least_confidence`.
    """
    if forth.score < back.score:
        mirrored = scene_from_pair(back, forth, least_confidence, seed)
        return PairScene(
            mirrored.T_world_camera.flip(0),
            mirrored.intrinsics[::-1],
            mirrored.depths[::-1],
            mirrored.points[::-1],
        )
    cameras = _camera(forth.points_a), _camera(back.points_a)
    T_world_other = _pose_of_second(forth, back, cameras[1], least_confidence, seed)
    poses = torch.stack([torch.eye(4, dtype=torch.float64), T_world_other])
    depths = forth.points_a[..., 2], act(inverse(T_world_other), forth.points_b)[..., 2]
    first, second = (
        act(T, unproject(depth, camera))
        for T, depth, camera in zip(poses, depths, cameras, strict=True)
    )
    return PairScene(poses, cameras, depths, (first, second))


def _camera(points: Tensor) -> Intrinsics:
    height, width = points.shape[:2]
    focal = float(focal_from_points(points))
    return Intrinsics(focal, focal, width / 2, height / 2, width, height)


def _pose_of_second(
    forth: DirectedPair, back: DirectedPair, camera: Intrinsics, least: float, seed: int
) -> Tensor:
    trusted = torch.maximum(forth.confidence_b, back.confidence_a) > least
    rows, columns = trusted.nonzero().unbind(-1)
    pixels = torch.stack([columns, rows], -1)
    found = pose_from_points(forth.points_b[trusted], pixels, camera, seed=seed, noise="points")
    if found is None:
        raise ValueError(
            f"no pose for the second view: of {trusted.numel()} pixels {len(pixels)} are more "
            f"confident than {least:g}, and fewer than 4 of them agree"
        )
    return found.T_world_camera
