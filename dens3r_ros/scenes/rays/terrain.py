# SPDX-License-Identifier: Apache-2.0
"""Height fields: smooth ground as a sum of waves, found by stepping that never oversteps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dens3r_ros.scenes.looks.materials import COLUMNS
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.intersect import box

_WAVES = 4
_STEPS, _SORT_OUT = 96, 8
_FIELDS = ("waves", "base", "half", "active", "material")


@dataclass(frozen=True, eq=False)
class Terrain:
    """One height field per world: z = base + sum of amplitude * sin(kx x + ky y + phase).

    `waves` is (B, 4, 4) of (kx, ky, phase, amplitude), `base` (B,), all within `half` (B, 2) of
    the origin in x and y, where `active` (B,); `material` is (B, M).
    """

    waves: Tensor
    base: Tensor
    half: Tensor
    active: Tensor
    material: Tensor

    def __getitem__(self, index: Tensor) -> Terrain:
        """The terrains of the worlds that `index` names."""
        return replace(self, **{name: getattr(self, name)[index] for name in _FIELDS})

    def surface(self, world: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Height, dz/dx and dz/dy at (N,) places, each of the world named in (N,)."""
        height = self.base[world]
        slope_x, slope_y = torch.zeros_like(x), torch.zeros_like(x)
        for wave in self.waves.unbind(1):
            kx, ky, phase, amplitude = wave[world].unbind(-1)
            angle = kx * x + ky * y + phase
            height = height + amplitude * angle.sin()
            swing = amplitude * angle.cos()
            slope_x, slope_y = slope_x + kx * swing, slope_y + ky * swing
        return height, slope_x, slope_y

    def first_hits(self, world: Tensor, origin: Tensor, ray: Tensor, before: Tensor) -> Tensor:
        """(N,) ray parameters of first hits nearer than `before`, infinite where there is none.

        Rays are (N, 3) in world coordinates, above the ground at their origin.
        """
        entry, leave = self._slab(world, origin, ray)
        t, limit = entry.clamp(min=0.0), torch.minimum(leave, before)
        result = torch.full_like(t, torch.inf)
        fastest = self._steepest()[world] * ray[:, :2].norm(dim=1) - ray[:, 2]
        left = ((t < limit) & (fastest > 0.0)).nonzero()[:, 0]
        for step in range(_STEPS):
            if step % _SORT_OUT == 0:
                t_left, speed, end = t[left], fastest[left], limit[left]
                o, d = origin[left].unbind(1), ray[left].unbind(1)
                waves, base = (
                    self.waves[world[left]].permute(1, 2, 0).contiguous(),
                    self.base[world[left]],
                )
            above = _above(waves, base, [oi + t_left * di for oi, di in zip(o, d, strict=True)])
            t_left = t_left + above.clamp(min=0.0) / speed
            if step % _SORT_OUT == _SORT_OUT - 1 or step == _STEPS - 1:
                t[left] = t_left
                near = above < 1e-3 + 1e-4 * t_left
                done = near & (t_left < end)
                result[left[done]] = t_left[done]
                left = left[~near & (t_left < end)]
                if not len(left):
                    break
        return self._refined(world, origin, ray, result)

    def _steepest(self) -> Tensor:
        return (self.waves[..., :2].norm(dim=-1) * self.waves[..., 3].abs()).sum(1)

    def _slab(self, world: Tensor, origin: Tensor, ray: Tensor) -> tuple[Tensor, Tensor]:
        high = self.waves[..., 3].abs().sum(1) + 1e-3
        reach = torch.cat((self.half, high[:, None]), 1)[world]
        middle = torch.zeros_like(reach)
        middle[:, 2] = self.base[world]
        o, d = (origin - middle) / reach, ray / reach + 1e-12
        entry, leave = box(o.unbind(1), d.unbind(1))
        return entry, torch.where(entry <= leave, leave, -torch.inf)

    def _refined(self, world: Tensor, origin: Tensor, ray: Tensor, t: Tensor) -> Tensor:
        """Newton's method from just above the ground, where it converges."""
        hit = t.isfinite().nonzero()[:, 0]
        w, o, d, start = world[hit], origin[hit], ray[hit], t[hit]
        at, farthest = start, 0.02 * (0.1 + start)
        for _ in range(4):
            point = o + at[:, None] * d
            height, slope_x, slope_y = self.surface(w, point[:, 0], point[:, 1])
            rate = d[:, 2] - slope_x * d[:, 0] - slope_y * d[:, 1]
            step = (point[:, 2] - height) / rate.clamp(max=-1e-4)
            at = at - torch.maximum(torch.minimum(step, farthest), -farthest)
        point = o + at[:, None] * d
        left = (point[:, 2] - self.surface(w, point[:, 0], point[:, 1])[0]).abs()
        t[hit] = torch.where(left < 1e-5 * (1.0 + at), at, start)
        return t


def _above(waves: Tensor, base: Tensor, point: list[Tensor]) -> Tensor:
    """(N,) heights of points over the ground with (4, 4, N) waves."""
    x, y, z = point
    above = z - base
    for kx, ky, phase, amplitude in waves.unbind(0):
        above = above - amplitude * (kx * x + ky * y + phase).sin_()
    return above


def flat_terrain(count: int, device: torch.device) -> Terrain:
    """No height field at all, for `count` worlds."""
    zeros = torch.zeros(count, _WAVES, 4, device=device)
    return Terrain(
        zeros,
        zeros[:, 0, 0],
        zeros[:, 0, :2] + 1.0,
        torch.zeros(count, dtype=torch.bool, device=device),
        torch.zeros(count, COLUMNS, device=device),
    )


def waves(stream: RandomStream, length: tuple[float, float], steepness: float) -> Tensor:
    """(B, 4, 4) waves of lengths in metres whose slopes add up to at most `steepness`."""
    direction = stream.uniform(_WAVES, high=6.2831853)
    number = 6.2831853 / stream.log_uniform(_WAVES, low=length[0], high=length[1])
    slope = steepness / _WAVES * stream.uniform(_WAVES, low=0.2)
    phase = stream.uniform(_WAVES, high=6.2831853)
    return torch.stack(
        (number * direction.cos(), number * direction.sin(), phase, slope / number), -1
    )
