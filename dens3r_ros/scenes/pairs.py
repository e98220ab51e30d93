# SPDX-License-Identifier: Apache-2.0
"""Pairs of views with everything known about them, for training and evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from dens3r_ros.scenes.cameras import CameraPairs, sample_intrinsics, sample_pairs_of_cameras
from dens3r_ros.scenes.correspondence import correspondence
from dens3r_ros.scenes.looks.lens import LensEffects, sample_lenses
from dens3r_ros.scenes.moving.pair_movers import with_movers
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.raycast import Views
from dens3r_ros.scenes.rays.render import Rendering, render
from dens3r_ros.scenes.worlds.sampling import KINDS_OF_WORLDS, sample_worlds

_WORLD, _CAMERA, _LENS, _MOVERS = 1, 2, 3, 4


@dataclass(frozen=True)
class SceneConfig:
    """What pairs are drawn from; probabilities need not add up to 1."""

    field_of_view: tuple[float, float] = (45.0, 100.0)
    """Degrees along the longer side, low and high."""
    same_view: float = 0.03
    """Share of pairs (a, a)."""
    worlds: tuple[tuple[str, float], ...] = tuple(KINDS_OF_WORLDS.items())
    """Kinds of worlds with their weights."""
    motion: float = 0.0
    """Share of pairs between whose views people or things have moved."""


@dataclass(frozen=True, eq=False)
class PairBatch:
    """B pairs of views a and b of one world each.

    image_a, image_b     (B, 3, H, W) float32 in [-1, 1], in 256 steps
    depth_a, depth_b     (B, H, W) float32 metres along z, 0 where not valid
    normals_a, normals_b (B, H, W, 3) unit, each in its own optical frame, facing the camera
    valid_a, valid_b     (B, H, W) bool: there is a surface (not sky)
    K_a, K_b             (B, 3, 3) float32, pixel centres at whole numbers
    T_world_a, T_world_b (B, 4, 4) float64
    pixels_a_in_b        (B, H, W, 2) float32 (x, y) in b of each pixel of a; -1 where behind b
    mask_a_in_b          (B, H, W) bool: that surface point is seen in b; b_in_a likewise; False for
                         what moves, whose pixels are -1
    moving_a, moving_b   (B, H, W) bool: the pixel shows what moves from one view to the other;
                         depth is of each view's own time
    overlap              (B,) mean of the two masks' shares of the valid pixels
    seeds                (B,) int64
    """

    image_a: Tensor
    image_b: Tensor
    depth_a: Tensor
    depth_b: Tensor
    normals_a: Tensor
    normals_b: Tensor
    valid_a: Tensor
    valid_b: Tensor
    K_a: Tensor
    K_b: Tensor
    T_world_a: Tensor
    T_world_b: Tensor
    pixels_a_in_b: Tensor
    pixels_b_in_a: Tensor
    mask_a_in_b: Tensor
    mask_b_in_a: Tensor
    moving_a: Tensor
    moving_b: Tensor
    overlap: Tensor
    seeds: Tensor

    def points(self, view: str) -> Tensor:
        """(B, H, W, 3) float32 surface points of view "a" or "b" in its own optical frame."""
        depth, K = (self.depth_a, self.K_a) if view == "a" else (self.depth_b, self.K_b)
        height, width = depth.shape[1:]
        u = torch.arange(width, device=depth.device) - K[:, 0, 2, None, None]
        v = torch.arange(height, device=depth.device)[:, None] - K[:, 1, 2, None, None]
        x, y = u / K[:, 0, 0, None, None], v / K[:, 1, 1, None, None]
        return torch.stack((x * depth, y * depth, depth), -1)

    def T_a_b(self) -> Tensor:
        """(B, 4, 4) float64: takes points in b's optical frame to a's."""
        return torch.linalg.inv(self.T_world_a) @ self.T_world_b


def sample_pairs(
    seeds: Tensor | Sequence[int],
    height: int,
    width: int,
    device: torch.device | str = "cpu",
    config: SceneConfig | None = None,
    block: int | None = None,
) -> PairBatch:
    """Render one pair per seed.

    `block` pairs are worked on at a time, which bounds memory (some 12 MB a pair at 128 x 96); by
    default 32 on a CPU, 256 on a GPU.

    A seed gives the same pair whatever the batch. Between CPU and CUDA the last bits of sines and
    logarithms differ: geometry agrees to float32 rounding, few image values by more than a step.
    """
    config = config or SceneConfig()
    block = block or (32 if torch.device(device).type == "cpu" else 256)
    numbers = seeds if isinstance(seeds, Tensor) else list(seeds)
    seeds = torch.as_tensor(numbers, device=device)
    with torch.no_grad():
        parts = [_sample(part, height, width, config) for part in seeds.split(block)]
    names = [field.name for field in fields(PairBatch)]
    return PairBatch(**{name: torch.cat([getattr(p, name) for p in parts]) for name in names})


def _sample(seeds: Tensor, height: int, width: int, config: SceneConfig) -> PairBatch:
    worlds = sample_worlds(RandomStream(seeds, _WORLD), dict(config.worlds))
    stream = RandomStream(seeds, _CAMERA)
    K = sample_intrinsics(stream, height, width, *config.field_of_view)
    same = stream.chance(config.same_view)
    K[:, 1] = torch.where(same[:, None, None], K[:, 0], K[:, 1])
    cameras = sample_pairs_of_cameras(stream, worlds, K, (height, width), same)
    world = torch.arange(len(seeds), device=seeds.device).repeat_interleave(2)
    mover = torch.zeros(sum(worlds.shapes.counts) + 1, dtype=torch.bool, device=seeds.device)
    if config.motion > 0:
        own = RandomStream(seeds, _MOVERS)
        moves = own.chance(config.motion) & ~same
        worlds, mover = with_movers(own, worlds, cameras, moves, (height, width))
        world = torch.arange(2 * len(seeds), device=seeds.device)
    T = cameras.T_world_camera.flatten(0, 1)
    views = Views(world, cameras.K.flatten(0, 1), T, height, width)
    lens = _shared(sample_lenses(RandomStream(seeds, _LENS), 2, height, width), same)
    rendering = render(worlds, views, lens)
    return _paired(seeds, views, cameras, rendering, mover)


def _shared(lens: LensEffects, same: Tensor) -> LensEffects:
    """The same picture twice where the pair is (a, a)."""
    index = torch.arange(2 * len(same), device=same.device)
    index = torch.where(same.repeat_interleave(2), index - index % 2, index)
    return LensEffects(
        **{field.name: getattr(lens, field.name)[index] for field in fields(LensEffects)}
    )


def _paired(
    seeds: Tensor, views: Views, cameras: CameraPairs, rendering: Rendering, mover: Tensor
) -> PairBatch:
    """`mover` says which slots move; the last is the terrain's, and -1, the sky's, is like it."""
    order = torch.arange(len(views), device=seeds.device)
    other = order + 1 - 2 * (order % 2)
    pixels, mask = correspondence(
        views,
        rendering.depth,
        rendering.normals,
        rendering.slot,
        order,
        other,
        len(mover) - 1,
    )
    moving = mover[rendering.slot.long()]
    pixels = torch.where(moving[..., None], -1.0, pixels)
    mask = mask & ~moving
    valid = rendering.slot >= 0
    share = mask.sum((1, 2)) / valid.sum((1, 2)).clamp(min=1)
    both = {
        "image": rendering.image,
        "depth": rendering.depth,
        "normals": rendering.normals,
        "valid": valid,
        "moving": moving,
    }
    arrays = {f"{name}_{v}": a[i::2] for name, a in both.items() for i, v in enumerate("ab")}
    return PairBatch(
        **arrays,
        K_a=cameras.K[:, 0].float(),
        K_b=cameras.K[:, 1].float(),
        T_world_a=cameras.T_world_camera[:, 0],
        T_world_b=cameras.T_world_camera[:, 1],
        pixels_a_in_b=pixels[0::2],
        pixels_b_in_a=pixels[1::2],
        mask_a_in_b=mask[0::2],
        mask_b_in_a=mask[1::2],
        overlap=share.view(-1, 2).mean(1),
        seeds=seeds,
    )
