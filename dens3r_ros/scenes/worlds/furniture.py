# SPDX-License-Identifier: Apache-2.0
"""Furniture as tables of parts, and the small things that stand on and around it."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.scenes.looks.materials import COLUMNS, material
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.intersect import BOX, CYLINDER, ELLIPSOID
from dens3r_ros.scenes.rays.primitives import Builder, tilt_rotation, yaw_rotation

PARTS = 6
_NONE = (0.0, 0.0, -9.0, 0.0, 0.0, 0.0)
_LEGS = tuple((sx * 0.44, sy * 0.42, 0.45, 0.045, 0.06, 0.45) for sx in (-1, 1) for sy in (-1, 1))

# Each part is (x, y, z, half x, half y, half z) in units of the piece's width, depth and height;
# the piece stands on z = 0 with its back at y = 0.5. Then come the sizes in metres, low and high.
_PIECES: dict[str, tuple[tuple[tuple[float, ...], ...], tuple[float, ...], tuple[float, ...]]] = {
    "table": (((0, 0, 0.95, 0.5, 0.5, 0.05), *_LEGS), (0.8, 0.5, 0.45), (2.0, 1.0, 0.8)),
    "chair": (
        (
            (0, 0, 0.5, 0.5, 0.5, 0.04),
            (0, 0.45, 0.75, 0.5, 0.05, 0.25),
            *((x, y, 0.23, 0.05, 0.05, 0.23) for x, y in ((-0.44, -0.44), (0.44, -0.44))),
            *((x, 0.44, 0.23, 0.05, 0.05, 0.23) for x in (-0.44, 0.44)),
        ),
        (0.38, 0.38, 0.75),
        (0.6, 0.6, 1.1),
    ),
    "sofa": (
        (
            (0, -0.05, 0.22, 0.5, 0.45, 0.22),
            (0, 0.4, 0.6, 0.5, 0.1, 0.4),
            (-0.45, -0.05, 0.35, 0.06, 0.45, 0.35),
            (0.45, -0.05, 0.35, 0.06, 0.45, 0.35),
            (-0.19, -0.1, 0.5, 0.18, 0.35, 0.07),
            (0.19, -0.1, 0.5, 0.18, 0.35, 0.07),
        ),
        (1.3, 0.7, 0.6),
        (2.4, 1.0, 0.95),
    ),
    "bookcase": (
        (
            (0, 0.46, 0.5, 0.5, 0.04, 0.5),
            (-0.48, 0, 0.5, 0.02, 0.5, 0.5),
            (0.48, 0, 0.5, 0.02, 0.5, 0.5),
            (0, 0, 0.98, 0.5, 0.5, 0.02),
            (0, 0, 0.5, 0.46, 0.45, 0.015),
            (0, 0, 0.06, 0.46, 0.45, 0.06),
        ),
        (0.6, 0.28, 0.9),
        (1.6, 0.5, 2.1),
    ),
    "cabinet": (
        (
            (0, 0, 0.5, 0.5, 0.5, 0.5),
            (-0.25, -0.51, 0.5, 0.235, 0.02, 0.46),
            (0.25, -0.51, 0.5, 0.235, 0.02, 0.46),
            (0, -0.02, 1.01, 0.53, 0.54, 0.015),
            (-0.05, -0.55, 0.55, 0.01, 0.03, 0.08),
            (0.05, -0.55, 0.55, 0.01, 0.03, 0.08),
        ),
        (0.6, 0.35, 0.6),
        (1.8, 0.6, 2.0),
    ),
    "bed": (
        (
            (0, 0, 0.25, 0.5, 0.5, 0.15),
            (0, 0, 0.5, 0.47, 0.48, 0.14),
            (0, 0.49, 0.6, 0.5, 0.02, 0.4),
            (-0.22, 0.38, 0.69, 0.2, 0.09, 0.08),
            (0.22, 0.38, 0.69, 0.2, 0.09, 0.08),
            (0, -0.2, 0.65, 0.49, 0.3, 0.03),
        ),
        (0.9, 1.9, 0.5),
        (1.9, 2.2, 0.9),
    ),
    "desk": (
        (
            (0, 0, 0.97, 0.5, 0.5, 0.03),
            (-0.35, 0, 0.47, 0.14, 0.47, 0.47),
            (0.47, 0, 0.47, 0.02, 0.47, 0.47),
            (0.02, 0.45, 0.7, 0.35, 0.02, 0.2),
            (0.05, 0.1, 1.28, 0.2, 0.02, 0.2),
            (0.05, 0.15, 1.03, 0.06, 0.08, 0.06),
        ),
        (1.0, 0.55, 0.65),
        (1.8, 0.9, 0.8),
    ),
    "cartons": (
        (
            (-0.2, 0.0, 0.2, 0.28, 0.4, 0.2),
            (0.27, 0.1, 0.15, 0.2, 0.35, 0.15),
            (-0.18, 0.05, 0.57, 0.22, 0.3, 0.17),
            (0.25, 0.1, 0.42, 0.15, 0.25, 0.12),
            (-0.2, 0.05, 0.85, 0.15, 0.2, 0.11),
            _NONE,
        ),
        (0.6, 0.4, 0.5),
        (1.5, 1.0, 1.6),
    ),
    "podium": (
        (
            (0, 0, 0.12, 0.5, 0.5, 0.12),
            (0, 0.17, 0.36, 0.5, 0.33, 0.12),
            (0, 0.33, 0.6, 0.5, 0.17, 0.12),
            (0.3, 0.35, 0.85, 0.1, 0.1, 0.13),
            (-0.25, 0.35, 0.8, 0.15, 0.1, 0.08),
            _NONE,
        ),
        (0.5, 0.5, 0.5),
        (2.0, 1.2, 1.4),
    ),
}
_MATERIALS = ("wood", "wood", "fabric", "plain", "any", "metal", "door", "shelf")


def _padded(parts: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    return parts + (_NONE,) * (PARTS - len(parts))


def add_furniture(
    builder: Builder,
    stream: RandomStream,
    place: Tensor,
    yaw: Tensor,
    active: Tensor,
    size: float = 1.0,
) -> Tensor:
    """Random pieces with the middle of their footprint at (B, N, 3), turned by (B, N).

    Returns their (B, N, 3) width, depth and height.
    """
    pieces = list(_PIECES.values())
    device = builder.device
    table = torch.tensor([_padded(parts) for parts, _, _ in pieces], device=device)
    low = torch.tensor([low for _, low, _ in pieces], device=device)
    high = torch.tensor([high for _, _, high in pieces], device=device)
    count = place.shape[1]
    kind = stream.below(len(pieces), count)
    extent = low[kind] + (high - low)[kind] * stream.uniform(count, 3)
    extent = extent * size
    parts = table[kind]
    middle = parts[..., :3] * extent[..., None, :]
    half = parts[..., 3:] * extent[..., None, :]
    turn = yaw_rotation(yaw)
    centre = place[..., None, :] + (turn[..., None, :, :] * middle[..., None, :]).sum(-1)
    exists = active[..., None] & (parts[..., 3] > 0.0)
    looks = torch.stack([material(stream, _MATERIALS, count) for _ in range(2)], 2)
    looks = looks[:, :, torch.tensor((0, 1, 1, 1, 0, 0), device=device)]
    builder.add(
        BOX,
        centre.flatten(1, 2),
        half.flatten(1, 2),
        looks.reshape(len(stream), -1, COLUMNS),
        rotation=turn[..., None, :, :].expand(-1, -1, PARTS, 3, 3).flatten(1, 2),
        active=exists.flatten(1, 2),
    )
    return extent


def add_clutter(builder: Builder, stream: RandomStream, place: Tensor, active: Tensor) -> None:
    """One small thing of each kind (book, ball, can) at each of (B, N, 3), which is its bottom."""
    count = place.shape[1]
    for kind, low, high in (
        (BOX, (0.06, 0.05, 0.02), (0.22, 0.15, 0.2)),
        (ELLIPSOID, (0.05, 0.05, 0.05), (0.14, 0.14, 0.16)),
        (CYLINDER, (0.03, 0.03, 0.04), (0.12, 0.12, 0.2)),
    ):
        least = torch.tensor(low, device=builder.device)
        most = torch.tensor(high, device=builder.device)
        half = least + (most - least) * stream.uniform(count, 3)
        half = torch.cat(
            (half[..., :1], half[..., 1:2] if kind == BOX else half[..., :1], half[..., 2:]), -1
        )
        shift = stream.uniform(count, 3, low=-0.35, high=0.35)
        centre = place + shift
        centre = torch.cat((centre[..., :2], place[..., 2:] + half[..., 2:]), -1)
        builder.add(
            kind,
            centre,
            half,
            material(stream, ("any", "plain", "print", "fabric"), count),
            rotation=stream.uniform(count, high=6.2831853),
            active=active & stream.chance(0.7, count),
        )


def add_leaning(builder: Builder, stream: RandomStream, place: Tensor, active: Tensor) -> None:
    """Boards that lean at (B, N, 3), anyhow turned: slanted planes."""
    count = place.shape[1]
    half = torch.stack(
        (
            stream.uniform(count, low=0.15, high=0.7),
            stream.uniform(count, low=0.01, high=0.03),
            stream.uniform(count, low=0.4, high=1.1),
        ),
        -1,
    )
    tilt = stream.uniform(count, low=0.2, high=1.2)
    rotation = yaw_rotation(stream.uniform(count, high=6.2831853)) @ tilt_rotation(tilt)
    centre = (
        place
        + torch.tensor((0.0, 0.0, 1.0), device=place.device)
        * (half[..., 2] * tilt.cos() + half[..., 1])[..., None]
    )
    builder.add(
        BOX, centre, half, material(stream, ("wood", "any", "print"), count), rotation, active
    )


def add_standing(builder: Builder, stream: RandomStream, place: Tensor, active: Tensor) -> None:
    """Lamps, plants and bins at (B, N, 3): a cylinder with a ball on top."""
    count = place.shape[1]
    up = torch.tensor((0.0, 0.0, 1.0), device=place.device)
    slim = stream.chance(0.5, count)
    radius = torch.where(
        slim, stream.uniform(count, low=0.02, high=0.06), stream.uniform(count, low=0.12, high=0.3)
    )
    height = torch.where(
        slim, stream.uniform(count, low=0.5, high=0.85), stream.uniform(count, low=0.15, high=0.5)
    )
    builder.add(
        CYLINDER,
        place + up * height[..., None],
        torch.stack((radius, radius, height), -1),
        material(stream, ("metal", "plain", "any"), count),
        active=active,
    )
    crown = stream.uniform(count, low=0.12, high=0.4)
    lift = 2.0 * height + 0.8 * crown
    builder.add(
        ELLIPSOID,
        place + up * lift[..., None],
        torch.stack((crown, crown, crown * stream.uniform(count, low=0.6, high=1.3)), -1),
        torch.where(
            stream.chance(0.3, count, 1),
            material(stream, "lamp", count),
            material(stream, ("leaves", "any", "plain"), count),
        ),
        active=active & stream.chance(0.75, count),
    )
