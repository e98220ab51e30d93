# SPDX-License-Identifier: Apache-2.0
"""Random splats before a camera, and their image the slow way."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.splats.gaussians import Gaussians
from dens3r_ros.splats.harmonics import basis

CAMERA = Intrinsics(25.0, 27.0, 13.2, 9.9, 29, 21)


def looking(seed: int) -> np.ndarray:
    """A pose (4, 4) some way off the origin, turned a little."""
    random = np.random.default_rng(seed)
    axis, angle = random.normal(size=3), 0.3
    axis /= np.linalg.norm(axis)
    cross = np.cross(np.eye(3), axis)
    T = np.eye(4)
    T[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    T[:3, 3] = random.normal(0, 0.2, 3)
    return T


def scattered(
    count: int, seed: int, degree: int = 1, dtype: torch.dtype = torch.float64
) -> Gaussians:
    """Splats of all shapes, near and far, some beside the image and some behind the camera."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    depth = 2 + 2.5 * torch.rand(count, generator=random, dtype=torch.float64)
    depth[::9] *= -1
    means = torch.stack([0.5 * depth * normal(count), 0.4 * depth * normal(count), depth], -1)
    numbers = (
        means,
        -2 + 0.8 * normal(count, 3),
        normal(count, 4),
        2 * normal(count),
        0.5 * normal(count, (degree + 1) ** 2, 3),
    )
    return Gaussians(*(number.to(dtype) for number in numbers))


def naive(gaussians: Gaussians, camera: Intrinsics, T_world_camera: np.ndarray) -> Tensor:
    """(H, W, 4): colour and light that passes, splat by splat over the whole image."""
    T = torch.linalg.inv(torch.as_tensor(T_world_camera)).to(gaussians.means)
    y, x = torch.meshgrid(torch.arange(camera.height), torch.arange(camera.width), indexing="ij")
    colour = torch.zeros(camera.height, camera.width, 3, dtype=gaussians.means.dtype)
    light = torch.ones(camera.height, camera.width, dtype=gaussians.means.dtype)
    points = gaussians.means @ T[:3, :3].T + T[:3, 3]
    for n in points[:, 2].argsort().tolist():
        if points[n, 2] <= 0.01:
            continue
        centre, covariance = _ellipse(gaussians, n, points[n], camera, T)
        off = torch.stack([x - centre[0], y - centre[1]], -1)
        distance = torch.einsum("hwi,ij,hwj->hw", off, torch.linalg.inv(covariance), off)
        alpha = gaussians.logits[n].sigmoid() * torch.exp(-0.5 * distance)
        alpha = torch.where(alpha < 1 / 255, 0.0, alpha.clamp(max=0.999))
        seen_from = gaussians.means[n] - torch.as_tensor(T_world_camera)[:3, 3].to(points)
        values = basis(seen_from / seen_from.norm(), 1)[: gaussians.harmonics.shape[1]]
        shade = (0.5 + values @ gaussians.harmonics[n]).clamp(min=0)
        colour = colour + (light * alpha)[..., None] * shade
        light = light * (1 - alpha)
    return torch.cat([colour, light[..., None]], -1)


def _ellipse(gaussians, n, point, camera, T) -> tuple[Tensor, Tensor]:
    a, b, c, w = (gaussians.rotations[n] / gaussians.rotations[n].norm()).tolist()
    cross = torch.tensor([[0, -c, b], [c, 0, -a], [-b, a, 0]], dtype=point.dtype)
    R = torch.eye(3, dtype=point.dtype) + 2 * w * cross + 2 * cross @ cross
    spread = R @ torch.diag(gaussians.log_scales[n].exp() ** 2) @ R.T
    x, y, z = point.tolist()
    limits = [
        (-(middle + 0.5) / f - 0.15 * size / f, (size - middle - 0.5) / f + 0.15 * size / f)
        for f, middle, size in (
            (camera.fx, camera.cx, camera.width),
            (camera.fy, camera.cy, camera.height),
        )
    ]
    across, down = (
        min(max(v / z, low), high) for v, (low, high) in zip((x, y), limits, strict=True)
    )
    slope = torch.tensor(
        [[camera.fx / z, 0, -camera.fx * across / z], [0, camera.fy / z, -camera.fy * down / z]],
        dtype=point.dtype,
    )
    J = slope @ T[:3, :3]
    centre = (camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy)
    return torch.tensor(centre, dtype=point.dtype), J @ spread @ J.T + 0.3 * torch.eye(2)
