# SPDX-License-Identifier: Apache-2.0
"""People and things that move between the two views of a pair, for many pairs at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.scenes.cameras import CameraPairs, nearest_hit
from dens3r_ros.scenes.looks.materials import material
from dens3r_ros.scenes.moving.cast import pose, turned
from dens3r_ros.scenes.moving.walker import LOOKS, PARTS, TALL, body, steps
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.primitives import KINDS, Builder, together
from dens3r_ros.scenes.rays.world import Worlds

_FIGURES = 3
"""At most, of one pair."""
_PEOPLE = 0.6
_FARTHEST, _NEAREST = 7.0, 0.9
"""Metres from the first camera."""
_KEEP = 0.7
"""Metres that nobody comes nearer to the second camera."""
_HANGS, _DEEPEST = 1.2, 4.0
"""Metres from the eye's height to the floor where none is seen, and below which there is none."""


@dataclass(frozen=True, eq=False)
class _Figures:
    """Of B pairs with F figures each: float64 `place` (B, F, 3) half way and `shift` (B, F, 3) from
    the first view to the second; `walks` and `there` (B, F) bool."""

    place: np.ndarray
    shift: np.ndarray
    walks: np.ndarray
    there: np.ndarray


def with_movers(
    stream: RandomStream, worlds: Worlds, cameras: CameraPairs, moves: Tensor, size: tuple[int, int]
) -> tuple[Worlds, Tensor]:
    """2B worlds, as they are for the first and for the second view of each pair, by turns; and
    (P + 1,) bool: which slots are movers, the last being the terrain's. `moves` (B,) are the pairs
    in which anything does; the others stay as they are."""
    figures = _figures(stream, worlds, cameras, moves, size)
    builder = Builder(2 * len(stream), stream.device)
    _add_people(builder, stream, figures)
    _add_things(builder, stream, figures)
    own = builder.finish()
    twice = torch.arange(len(stream), device=stream.device).repeat_interleave(2)
    shapes = worlds.shapes[twice]
    parts = [torch.zeros(0, dtype=torch.bool)]
    for kind in KINDS:
        parts.append(torch.zeros(shapes.counts[kind], dtype=torch.bool))
        parts.append(torch.ones(own.counts[kind], dtype=torch.bool))
    whole = Worlds(
        together(shapes, own), worlds.terrain[twice], worlds.light[twice], worlds.stage[twice]
    )
    return whole, torch.cat((*parts, torch.zeros(1, dtype=torch.bool))).to(stream.device)


def _figures(
    stream: RandomStream, worlds: Worlds, cameras: CameraPairs, moves: Tensor, size: tuple[int, int]
) -> _Figures:
    """Where they are: in the first view, before what is seen there."""
    across = stream.uniform(_FIGURES, low=0.1, high=0.9) * size[1]
    down = stream.uniform(_FIGURES, low=0.35, high=0.65) * size[0]
    share = stream.uniform(_FIGURES, low=0.35, high=0.8)
    K, T = cameras.K[:, 0].float(), cameras.T_world_camera[:, 0].float()
    x = (across - K[:, 0, 2, None]) / K[:, 0, 0, None]
    y = (down - K[:, 1, 2, None]) / K[:, 1, 1, None]
    rays = torch.stack((x, y, torch.ones_like(x)), -1) @ T[:, :3, :3].transpose(1, 2)
    eye = T[:, None, :3, 3]
    free = nearest_hit(worlds, eye, rays[:, None])[:, 0].clamp(max=_FARTHEST)
    place = eye + (share * free)[..., None] * rays
    straight = torch.zeros(len(stream), _FIGURES, 1, 3, device=stream.device)
    straight[..., 2] = -1.0
    below = nearest_hit(worlds, place, straight)[..., 0]
    below = torch.where(below < _DEEPEST, below, _HANGS)
    walks = stream.chance(_PEOPLE, _FIGURES)
    wanted = stream.below(_FIGURES, 1)  # Besides the first, up to so many.
    number = torch.arange(_FIGURES, device=stream.device)
    there = moves[:, None] & (number <= wanted) & (share * free > _NEAREST)
    place[..., 2] -= torch.where(walks, below, 0.0)
    shift = _shifts(stream, walks)
    second = cameras.T_world_camera[:, 1, None, :3, 3].float()
    gap = (place + 0.5 * shift - second)[..., :2].norm(dim=-1)
    return _Figures(_array(place), _array(shift), _array(walks), _array(there & (gap > _KEEP)))


def _shifts(stream: RandomStream, walks: Tensor) -> Tensor:
    """(B, F, 3) metres that they go from one view to the next."""
    far = stream.log_uniform(_FIGURES, low=0.03, high=1.5)
    heading = stream.uniform(_FIGURES, high=6.2832)
    climb = torch.where(walks, 0.0, 0.4 * stream.normal(_FIGURES))
    return far[..., None] * torch.stack((heading.cos(), heading.sin(), climb), -1)


def _add_people(builder: Builder, stream: RandomStream, figures: _Figures) -> None:
    scale = _array(stream.uniform(_FIGURES, low=1.0, high=1.95)) / TALL
    speed = _array(stream.uniform(_FIGURES, low=0.3, high=1.8))
    phase = _array(stream.uniform(_FIGURES, high=6.2832))
    looks = torch.stack([material(stream, name, _FIGURES) for name in LOOKS])
    travelled = np.linalg.norm(figures.shift, axis=-1)
    turn = turned("z", np.arctan2(figures.shift[..., 1], figures.shift[..., 0]))
    both = []
    for side in (-0.5, 0.5):
        placed = body(phase + steps(side * travelled, scale), speed)
        placed[..., :3, 3] *= scale[..., None, None]
        both.append(pose(figures.place + side * figures.shift, turn)[..., None, :, :] @ placed)
    T = _by_turns(np.stack(both, 1))
    active = _twice(figures.there & figures.walks)
    for number, (kind, half, look) in enumerate(PARTS):
        reach = torch.from_numpy(scale[..., None] * half).float().repeat_interleave(2, 0)
        _add(builder, kind, T[:, :, number], reach, looks[look], active)


def _add_things(builder: Builder, stream: RandomStream, figures: _Figures) -> None:
    """Boxes, balls and tubes that fly and turn."""
    half = stream.log_uniform(_FIGURES, 3, low=0.08, high=0.45).repeat_interleave(2, 0)
    first, spin = (stream.normal(_FIGURES, 3).flatten(0, 1) for _ in range(2))
    looks, kinds = material(stream, "any", _FIGURES), _array(stream.below(len(KINDS), _FIGURES))
    both = []
    for side in (-0.5, 0.5):
        turn = _array(_rotations(side * 0.4 * spin) @ _rotations(first))
        R = turn.reshape(*figures.there.shape, 3, 3)
        both.append(pose(figures.place + side * figures.shift, R))
    T = _by_turns(np.stack(both, 1))
    for kind in KINDS:
        active = _twice(figures.there & ~figures.walks & (kinds == kind))
        _add(builder, kind, T, half, looks, active)


def _add(
    builder: Builder, kind: int, T: Tensor, half: Tensor, looks: Tensor, active: Tensor
) -> None:
    """One shape of every figure; `T` (2B, F, 4, 4), `looks` (B, F, M)."""
    device = builder.device
    builder.add(
        kind,
        T[..., :3, 3].to(device),
        half.to(device),
        looks.repeat_interleave(2, 0),
        T[..., :3, :3].to(device),
        active.to(device),
    )


def _by_turns(both: np.ndarray) -> Tensor:
    """(2B, ...) float32 of (B, 2, ...)."""
    return torch.from_numpy(both).float().flatten(0, 1)


def _twice(there: np.ndarray) -> Tensor:
    return torch.from_numpy(there).repeat_interleave(2, 0)


def _rotations(vectors: Tensor) -> Tensor:
    """(N, 3, 3) float64 of rotation vectors (N, 3)."""
    wide = vectors.double()[:, None].expand(-1, 3, -1)
    return torch.linalg.matrix_exp(torch.linalg.cross(torch.eye(3).to(wide).expand_as(wide), wide))


def _array(values: Tensor) -> np.ndarray:
    found = values.cpu().numpy()
    return found.astype(np.float64) if found.dtype == np.float32 else found
