# SPDX-License-Identifier: Apache-2.0
"""From splats in space to ellipses on an image, as 3D Gaussian splatting has it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.splats.gaussians import Gaussians
from dens3r_ros.splats.harmonics import colours

NEAR = 0.01
"""Depth, in the splats' unit, before which nothing is drawn."""
BLUR = 0.3
"""Square pixels added to every ellipse, so that none falls between pixels."""
FAINTEST = 1 / 255
"""Opacity below which a splat does not count at a pixel."""
_MARGIN = 0.3
"""Share of the image's width, to each side, beyond which the projection's slope grows no more."""


@dataclass(frozen=True, eq=False)
class Ellipses:
    """What M splats look like in one image, the nearest first.

    centres     (M, 2) pixels x, y; pixel centres lie at whole numbers
    conics      (M, 3) a, b, c: a x^2 + 2 b x y + c y^2 is the squared distance in deviations
    log_opacity (M,) at the centre
    colours     (M, 3)
    reaches     (M, 2) pixels in x and y up to which a splat counts; no gradients
    indices     (M,) of the splats
    """

    centres: Tensor
    conics: Tensor
    log_opacity: Tensor
    colours: Tensor
    reaches: Tensor
    indices: Tensor


def projected(gaussians: Gaussians, camera: Intrinsics, T_camera_world: Tensor) -> Ellipses:
    """The splats that may be seen by a camera; T_camera_world is (4, 4)."""
    R, shift = T_camera_world[:3, :3], T_camera_world[:3, 3]
    near = _in_front(gaussians, camera, R, shift)
    seen = Gaussians(*(tensor.index_select(0, near) for tensor in gaussians.tensors().values()))
    points = seen.means @ R.T + shift
    covariances = _covariances(seen, points, camera, R)
    directions = torch.nn.functional.normalize(seen.means + shift @ R, dim=-1)
    focal = points.new_tensor([camera.fx, camera.fy])
    centre = points.new_tensor([camera.cx, camera.cy])
    a, b, c = covariances.unbind(-1)
    return Ellipses(
        points[:, :2] / points[:, 2:] * focal + centre,
        torch.stack([c, -b, a], -1) / (a * c - b * b)[:, None],
        torch.nn.functional.logsigmoid(seen.logits),
        colours(seen.harmonics, directions),
        _reaches(covariances.detach(), seen.logits.detach()),
        near,
    )


def _in_front(gaussians: Gaussians, camera: Intrinsics, R: Tensor, shift: Tensor) -> Tensor:
    """Indices of splats in front of the camera that may reach the image, the nearest first."""
    with torch.no_grad():
        points = gaussians.means @ R.T + shift
        depth = points[:, 2]
        largest = gaussians.log_scales.amax(-1).exp()
        reach = 4 * largest / depth.clamp(min=NEAR)
        good = (depth > NEAR) & (gaussians.logits.sigmoid() > FAINTEST)
        sides = ((camera.fx, camera.cx, camera.width), (camera.fy, camera.cy, camera.height))
        for axis, (focal, middle, count) in enumerate(sides):
            slope = points[:, axis] / depth
            pixel = slope * focal + middle
            # Of a sphere around it; sideways it is stretched with the slope.
            spread = reach * focal * (1 + slope.abs()) + 4
            good &= (pixel + spread > 0) & (pixel - spread < count)
        kept = good.nonzero()[:, 0]
        return kept[depth[kept].argsort(stable=True)]


def _covariances(seen: Gaussians, points: Tensor, camera: Intrinsics, R: Tensor) -> Tensor:
    """(M, 3) xx, xy, yy in square pixels."""
    axes = (R @ axes_of(seen.rotations)) * seen.log_scales.exp()[:, None, :]
    x, y, z = points.unbind(-1)
    across = _bounded(x / z, camera.fx, camera.cx, camera.width)
    down = _bounded(y / z, camera.fy, camera.cy, camera.height)
    to_x = (camera.fx / z)[:, None] * (axes[:, 0] - across[:, None] * axes[:, 2])
    to_y = (camera.fy / z)[:, None] * (axes[:, 1] - down[:, None] * axes[:, 2])
    xx, yy = to_x.square().sum(-1) + BLUR, to_y.square().sum(-1) + BLUR
    return torch.stack([xx, (to_x * to_y).sum(-1), yy], -1)


def _bounded(slope: Tensor, focal: float, centre: float, count: int) -> Tensor:
    """Slopes of rays, none far outside the image, where the linear projection is worthless."""
    margin = _MARGIN * 0.5 * count / focal
    return slope.clamp(-(centre + 0.5) / focal - margin, (count - centre - 0.5) / focal + margin)


def axes_of(rotations: Tensor) -> Tensor:
    """(N, 3, 3) rotations of quaternions (N, 4) x, y, z, w of any length."""
    x, y, z, w = torch.nn.functional.normalize(rotations, dim=-1).unbind(-1)
    rows = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        *(2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        *(2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    ]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def _reaches(covariances: Tensor, logits: Tensor) -> Tensor:
    faintest = torch.nn.functional.logsigmoid(logits) - math.log(FAINTEST)
    deviations = (2 * faintest.clamp(min=0)).sqrt()
    return deviations[:, None] * covariances[:, ::2].sqrt()
