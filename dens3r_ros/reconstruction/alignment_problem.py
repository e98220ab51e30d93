# SPDX-License-Identifier: Apache-2.0
"""How far a set of images and the predictions of their pairs are from one consistent scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.pair_scene import DirectedPair

_LEAST_TRUST = 1e-6
"""So that points without any confidence count where there are no others."""

Predictions = Mapping[tuple[int, int], DirectedPair]


@dataclass(frozen=True, eq=False)
class AlignmentProblem:
    """What was predicted at M pixels of each of N images, in E directed pairs (a, b)."""

    pairs: Tensor
    """(E, 2) image indices."""
    pixels: Tensor
    """(N, 2, M) x and y from the principal point, y stretched to square pixels."""
    points: Tensor
    """(E, 2, 3, M) of both images of a pair, in its first image's optical frame."""
    weights: Tensor
    """(E, 2, M) logarithms of the confidence."""


@dataclass(frozen=True, eq=False)
class AlignmentState:
    """A scene: cameras, their depth, and how each pair's frame lies in the world."""

    T_world_camera: Tensor
    """(N, 4, 4), rigid."""
    focals: Tensor
    """(N,) in pixels."""
    depths: Tensor
    """(N, M) along the optical axes."""
    T_world_pair: Tensor
    """(E, 4, 4), with scale."""


def sampled_pixels(sizes: Sequence[tuple[int, int]], most: int, seed: int) -> list[Tensor]:
    """Flat indices of at most `most` pixels drawn from each image, equally many of all."""
    count = min(most, *(height * width for height, width in sizes))
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randperm(height * width, generator=generator)[:count].sort().values
        for height, width in sizes
    ]


def problem_from_pairs(
    predictions: Predictions, cameras: Sequence[Intrinsics], chosen: Sequence[Tensor]
) -> AlignmentProblem:
    """The problem at the `chosen` flat pixel indices of each image, in float32.

    Of a camera the principal point is read, and how much longer fx is than fy.
    """
    offsets = [
        pixel_offsets(camera)[:, index] for camera, index in zip(cameras, chosen, strict=True)
    ]
    points, weights = [], []
    for (a, b), pair in predictions.items():
        points_a, weights_a = flat_prediction(pair.points_a, pair.confidence_a)
        points_b, weights_b = flat_prediction(pair.points_b, pair.confidence_b)
        points.append(torch.stack([points_a[:, chosen[a]], points_b[:, chosen[b]]]))
        weights.append(torch.stack([weights_a[chosen[a]], weights_b[chosen[b]]]))
    pairs = torch.tensor(list(predictions))
    return AlignmentProblem(pairs, torch.stack(offsets), torch.stack(points), torch.stack(weights))


def flat_prediction(points: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
    """A view's points (3, H * W), and the logarithm of its confidence (H * W,).

    Points that are not finite become zeros without weight.
    """
    flat = points.detach().cpu().float().flatten(0, 1).T
    finite = flat.isfinite().all(0)
    weights = confidence.detach().cpu().float().flatten().clamp_min(1.0).log()
    return flat.where(finite, 0.0), weights.where(finite, 0.0)


def trust(points: Tensor, weights: Tensor) -> Tensor:
    """Weights (..., M), above zero wherever there is a point (..., 3, M) at all."""
    return torch.where(points[..., 2, :] != 0, weights + _LEAST_TRUST, 0.0)


def pixel_offsets(camera: Intrinsics) -> Tensor:
    """(2, H * W) x and y from the principal point, y stretched to square pixels."""
    x = torch.arange(camera.width, dtype=torch.float32) - camera.cx
    y = torch.arange(camera.height, dtype=torch.float32) - camera.cy
    y = y * (camera.fx / camera.fy)
    return torch.stack(torch.meshgrid(x, y, indexing="xy")).flatten(1)


def rays_of(pixels: Tensor, focals: Tensor) -> Tensor:
    """(..., 3, M) rays of depth 1 through pixels (..., 2, M), focals (...)."""
    slopes = pixels / focals.to(pixels)[..., None, None]
    return torch.cat([slopes, torch.ones_like(slopes[..., :1, :])], -2)


def moved(T: Tensor, points: Tensor) -> Tensor:
    """Points (..., 3, M) transformed by T (..., 4, 4), in the points' type."""
    T = T.to(points)
    return T[..., :3, :3] @ points + T[..., :3, 3:]


def world_points(problem: AlignmentProblem, state: AlignmentState) -> Tensor:
    """(N, 3, M) points of each image's pixels in the world."""
    rays = rays_of(problem.pixels, state.focals)
    return moved(state.T_world_camera, state.depths[:, None] * rays)


def alignment_loss(problem: AlignmentProblem, state: AlignmentState) -> Tensor:
    """Weighted mean distance of the images' points from those predicted, over both of a pair."""
    images = world_points(problem, state).index_select(0, problem.pairs.flatten())
    predicted = moved(state.T_world_pair[:, None], problem.points)
    squares = (images.unflatten(0, (-1, 2)) - predicted).square().sum(-2)
    # The bound keeps the gradient finite where points coincide.
    distances = squares.clamp_min(1e-20).sqrt()
    return (problem.weights * distances).sum(dtype=torch.float64) / problem.weights[:, 0].numel()
