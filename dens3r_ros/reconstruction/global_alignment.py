# SPDX-License-Identifier: Apache-2.0
"""One consistent scene from an unordered set of images, predicted in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import unproject
from dens3r_ros.geometry.sim3 import act, inverse
from dens3r_ros.reconstruction.alignment_problem import (
    AlignmentState,
    Predictions,
    alignment_loss,
    flat_prediction,
    moved,
    pixel_offsets,
    problem_from_pairs,
    rays_of,
    sampled_pixels,
    trust,
)
from dens3r_ros.reconstruction.alignment_solver import OnStep, solve
from dens3r_ros.reconstruction.alignment_start import spanning_tree_start

_FEWEST_PIXELS = 64
"""Of each image, however many pairs there are."""
_DEPTH_ROUNDS = 10


@dataclass(frozen=True)
class AlignmentConfig:
    """How much effort goes into an alignment."""

    most_steps: int = 300
    most_points: int = 400_000
    """Predicted points, of all pairs together, that decide on the cameras, which bounds time and
    memory of each step. Depth is found for all pixels afterwards."""
    seed: int = 0
    """Which points these are."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """Cameras and depth of every image, in one world of arbitrary frame and scale."""

    T_world_camera: Tensor
    """(N, 4, 4) float64, rigid."""
    intrinsics: tuple[Intrinsics, ...]
    depths: tuple[Tensor, ...]
    """(H, W) float32 of each image, along its optical axis; NaN where nothing was predicted."""
    confidences: tuple[Tensor, ...]
    """(H, W) of each image, the highest that any pair has at a pixel."""
    loss: float

    def points(self, image: int) -> Tensor:
        """(H, W, 3) points of an image's pixels in the world."""
        local = unproject(self.depths[image], self.intrinsics[image])
        return act(self.T_world_camera[image], local)


def align_globally(
    predictions: Predictions,
    intrinsics: Sequence[Intrinsics | None] | None = None,
    config: AlignmentConfig | None = None,
    on_step: OnStep | None = None,
) -> Alignment:
    """The scene in which images 0 to N - 1 and all predictions (a, b) of pairs agree best.

    Known `intrinsics` are kept. Of unknown cameras the focal length is found, and the principal
    point taken as (W / 2, H / 2), as the network family has it. `on_step` hears of each step's
    number and loss. Raises ValueError where the pairs do not connect all images.
    """
    config = config or AlignmentConfig()
    predictions = {(a, b): pair for (a, b), pair in predictions.items() if a != b}
    cameras = _cameras(predictions, intrinsics)
    sizes = [(camera.height, camera.width) for camera in cameras]
    most_pixels = max(config.most_points // (2 * len(predictions)), _FEWEST_PIXELS)
    chosen = sampled_pixels(sizes, most_pixels, config.seed)
    problem = problem_from_pairs(predictions, cameras, chosen)
    given = list(intrinsics) if intrinsics is not None else [None] * len(cameras)
    known = torch.tensor([camera is not None for camera in given])
    focals = torch.tensor([camera.fx for camera in cameras])
    start = spanning_tree_start(problem)
    start = replace(start, focals=torch.where(known, focals, start.focals))
    state = solve(problem, start, known, config.most_steps, on_step)
    found = [
        known_camera or replace(camera, fx=focal, fy=focal)
        for known_camera, camera, focal in zip(given, cameras, state.focals.tolist(), strict=True)
    ]
    return _whole(predictions, found, state, float(alignment_loss(problem, state)))


def _cameras(
    predictions: Predictions, intrinsics: Sequence[Intrinsics | None] | None
) -> list[Intrinsics]:
    """The given cameras, and for others size and centre with a focal length of 1."""
    sizes: dict[int, torch.Size] = {}
    for (a, b), pair in predictions.items():
        sizes[a], sizes[b] = pair.points_a.shape[:2], pair.points_b.shape[:2]
    count = len(intrinsics) if intrinsics is not None else max(sizes, default=-1) + 1
    if count < 2 or set(sizes) != set(range(count)):
        raise ValueError(
            f"{count} images, but pairs of {sorted(sizes)}: every image needs a pair with another"
        )
    given = intrinsics or [None] * count
    cameras = []
    for image, known in enumerate(given):
        height, width = sizes[image]
        if known is not None and (known.width, known.height) != (width, height):
            raise ValueError(
                f"intrinsics of image {image} are for {known.width}x{known.height} pixels, "
                f"its pointmaps have {width}x{height}: resize the intrinsics"
            )
        cameras.append(known or Intrinsics(1.0, 1.0, width / 2, height / 2, width, height))
    return cameras


def _whole(
    predictions: Predictions, cameras: list[Intrinsics], state: AlignmentState, loss: float
) -> Alignment:
    """The scene with depth at all pixels, given the cameras and the pairs' frames."""
    depths, confidences = [], []
    for image, camera in enumerate(cameras):
        points, weights, trusted = _predicted_in_camera(predictions, state, image)
        rays = rays_of(pixel_offsets(camera), state.focals[image])
        size = camera.height, camera.width
        depths.append(_depth_on_rays(points, trusted, rays).unflatten(0, size))
        confidences.append(weights.amax(0).exp().unflatten(0, size))
    return Alignment(state.T_world_camera, tuple(cameras), tuple(depths), tuple(confidences), loss)


def _predicted_in_camera(
    predictions: Predictions, state: AlignmentState, image: int
) -> tuple[Tensor, Tensor, Tensor]:
    """All K predictions of an image: points (K, 3, H * W) in its frame, weights, trust."""
    T_camera_world = inverse(state.T_world_camera[image])
    points, weights, trusted = [], [], []
    for T_world_pair, ((a, b), pair) in zip(state.T_world_pair, predictions.items(), strict=True):
        if image not in (a, b):
            continue
        view = (pair.points_a, pair.confidence_a)
        if image == b:
            view = (pair.points_b, pair.confidence_b)
        local, weight = flat_prediction(*view)
        points.append(moved(T_camera_world @ T_world_pair, local))
        weights.append(weight)
        trusted.append(trust(local, weight))
    return torch.stack(points), torch.stack(weights), torch.stack(trusted)


def _depth_on_rays(points: Tensor, weights: Tensor, rays: Tensor) -> Tensor:
    """(P,) depths on rays (3, P) with the least weighted distance from points (K, 3, P)."""
    across, length = (points * rays).sum(-2), rays.square().sum(-2)
    pull = weights
    for _ in range(_DEPTH_ROUNDS):
        depth = (pull * across).sum(0) / (pull.sum(0) * length)
        away = (depth * rays - points).square().sum(-2).sqrt()
        pull = weights / away.clamp_min(1e-6)
    return depth
