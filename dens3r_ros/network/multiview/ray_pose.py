# SPDX-License-Identifier: Apache-2.0
"""Cameras fitted to the rays of Depth Anything 3: more exact than those of its decoder, slower.

Directions of a view are a homography of its pixels, which is fitted to samples of eight pixels,
then to all pixels that agree with the best of them, and taken apart into rotation and intrinsics.
Pixels are in units of half the image, with the centre of the image at (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_LEAST_Z = 1e-4
_CANDIDATES = 0.3
_SAMPLES, _SAMPLE = 100, 8
_TOLERANCE = 0.2
_SAMPLES_AT_ONCE = 10


@dataclass(frozen=True, eq=False)
class RayCameras:
    """Cameras of V views: poses (V, 4, 4), and pinholes (V, 3, 3) in pixels; float32."""

    T_world_camera: Tensor
    intrinsics: Tensor


def cameras_from_rays(
    rays: Tensor, confidence: Tensor, size: tuple[int, int], samples: Tensor | None = None
) -> RayCameras:
    """Fit the cameras of views from rays (V, h, w, 6) and their confidence (V, h, w).

    `size` is (height, width) of the images, pixels. `samples` (K, 8) picks pixels among the most
    confident ones, which are sorted from the most confident down; the same random ones every time
    unless they are given.
    """
    rays, confidence = rays.double(), confidence.double()
    z = rays[..., 2]
    usable = z.abs() > _LEAST_Z
    seen = rays[..., :2] / torch.where(usable, z, torch.ones_like(z))[..., None]
    weights = torch.where(usable, confidence, torch.zeros_like(confidence)).flatten(1)
    pixels = _pixels(z.shape[1], z.shape[2], rays.device)
    candidates = max(_SAMPLE, int(_CANDIDATES * len(pixels)))
    if samples is None:
        samples = _random_samples(candidates, rays.device)
    views = zip(seen.flatten(1, 2), weights, strict=True)
    homographies = [_fit(pixels, *view, candidates, samples.long()) for view in views]
    rotation, intrinsics = _taken_apart(torch.stack(homographies), size)
    pose = torch.eye(4, dtype=rays.dtype, device=rays.device).repeat(len(rays), 1, 1)
    pose[:, :3, :3] = rotation
    shares = confidence / confidence.sum((1, 2), keepdim=True)
    pose[:, :3, 3] = (rays[..., 3:] * shares[..., None]).sum((1, 2))
    return RayCameras(pose.float(), intrinsics.float())


def _pixels(rows: int, columns: int, device: torch.device) -> Tensor:
    """(rows * columns, 3): x, y, 1 of cell centres."""
    x, y = (
        (2 * torch.arange(count, device=device).double() + 1) / count - 1
        for count in (columns, rows)
    )
    x, y = torch.meshgrid(x, y, indexing="xy")
    return torch.stack((x, y, torch.ones_like(x)), dim=-1).flatten(0, 1)


def _random_samples(candidates: int, device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    order = torch.rand(_SAMPLES, candidates, generator=generator).topk(_SAMPLE, dim=1)
    return order.indices.to(device)


def _fit(pixels: Tensor, seen: Tensor, weights: Tensor, candidates: int, samples: Tensor) -> Tensor:
    """The homography (3, 3) of one view, from pixels (N, 3) to what was seen there (N, 2)."""
    chosen = weights.argsort(descending=True, stable=True)[:candidates][samples]
    trials = _homographies(pixels[chosen], seen[chosen], weights[chosen])
    scores = [_scores(part, pixels, seen, weights) for part in trials.split(_SAMPLES_AT_ONCE)]
    best = trials[torch.cat(scores).argmax()]
    agreeing = _agrees(best[None], pixels, seen)[0] & (weights > 0)
    if int(agreeing.sum()) < _SAMPLE:
        return best
    return _homographies(*(values[agreeing][None] for values in (pixels, seen, weights)))[0]


def _homographies(pixels: Tensor, seen: Tensor, weights: Tensor) -> Tensor:
    """(K, 3, 3) by direct linear transformation from (K, N, 3), (K, N, 2) and (K, N)."""
    zeros = torch.zeros_like(pixels)
    rows_u = torch.cat((-pixels, zeros, pixels * seen[..., :1]), dim=-1)
    rows_v = torch.cat((zeros, -pixels, pixels * seen[..., 1:]), dim=-1)
    rows = torch.cat((rows_u, rows_v), dim=1) * weights.sqrt().repeat(1, 2)[..., None]
    # Squaring the rows is harmless in double precision, and there are only nine columns.
    null = torch.linalg.eigh(rows.transpose(1, 2) @ rows).eigenvectors[..., 0]
    found = null.unflatten(-1, (3, 3))
    return found / found[:, 2:, 2:]


def _scores(trials: Tensor, pixels: Tensor, seen: Tensor, weights: Tensor) -> Tensor:
    return (_agrees(trials, pixels, seen) * weights).sum(1)


def _agrees(trials: Tensor, pixels: Tensor, seen: Tensor) -> Tensor:
    """(K, N): which pixels each of the homographies (K, 3, 3) brings near to what was seen."""
    moved = pixels @ trials.transpose(1, 2)
    distance = (moved[..., :2] / moved[..., 2:] - seen).norm(dim=-1)
    return distance < _TOLERANCE


def _taken_apart(homographies: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Rotations (V, 3, 3) and pinholes (V, 3, 3) in pixels, of homographies (V, 3, 3)."""
    signs = torch.linalg.det(homographies).sign()
    rotation, lower = _orthogonal_lower(homographies * signs[:, None, None])
    lower = lower / lower[:, 2:, 2:]
    half_height, half_width = size[0] / 2, size[1] / 2
    intrinsics = torch.zeros_like(lower)
    intrinsics[:, 0, 0] = half_width / lower[:, 0, 0]
    intrinsics[:, 1, 1] = half_height / lower[:, 1, 1]
    intrinsics[:, 0, 2] = half_width * (lower[:, 2, 0] + 1)
    intrinsics[:, 1, 2] = half_height * (lower[:, 2, 1] + 1)
    intrinsics[:, 2, 2] = 1.0
    return rotation, intrinsics


def _orthogonal_lower(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """An orthogonal times a lower triangular factor whose diagonal is positive."""
    orthogonal, upper = torch.linalg.qr(matrices.flip(-1))
    orthogonal, lower = orthogonal.flip(-1), upper.flip(-1).flip(-2)
    signs = lower.diagonal(dim1=-2, dim2=-1).sign()
    return orthogonal * signs[:, None], lower * signs[..., None]
