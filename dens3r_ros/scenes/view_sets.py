# SPDX-License-Identifier: Apache-2.0
"""Several views of one world with their depth and cameras, for networks of many views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from dens3r_ros.scenes.cameras import sample_cameras_around, sample_intrinsics
from dens3r_ros.scenes.looks.lens import sample_lenses
from dens3r_ros.scenes.pairs import SceneConfig
from dens3r_ros.scenes.random import RandomStream
from dens3r_ros.scenes.rays.raycast import Views
from dens3r_ros.scenes.rays.render import render
from dens3r_ros.scenes.worlds.sampling import sample_worlds

# Other streams of the same seeds than those of pairs, so that no set repeats a pair.
_WORLD, _CAMERA, _LENS = 11, 12, 13


@dataclass(frozen=True, eq=False)
class ViewSets:
    """S views of each of B worlds, all of a world by one camera.

    images          (B, S, 3, H, W) float32 in [-1, 1], in 256 steps
    depth           (B, S, H, W) float32 metres along z, 0 where not valid
    valid           (B, S, H, W) bool: there is a surface (not sky)
    K               (B, 3, 3) float32, pixel centres at whole numbers, axis through the middle
    T_world_camera  (B, S, 4, 4) float64
    """

    images: Tensor
    depth: Tensor
    valid: Tensor
    K: Tensor
    T_world_camera: Tensor


def sample_view_sets(
    seeds: Tensor | Sequence[int],
    views: int,
    height: int,
    width: int,
    device: torch.device | str = "cpu",
    config: SceneConfig | None = None,
    block: int = 16,
) -> ViewSets:
    """Render `views` views for each seed, `block` worlds at a time, which bounds memory.

    A seed gives the same set whatever the batch; the first camera of a seed stands the same
    whatever the number of views.
    """
    config = config or SceneConfig()
    numbers = seeds if isinstance(seeds, Tensor) else list(seeds)
    seeds = torch.as_tensor(numbers, device=device)
    with torch.no_grad():
        parts = [_sample(part, views, height, width, config) for part in seeds.split(block)]
    names = [field.name for field in fields(ViewSets)]
    return ViewSets(**{name: torch.cat([getattr(p, name) for p in parts]) for name in names})


def _sample(seeds: Tensor, count: int, height: int, width: int, config: SceneConfig) -> ViewSets:
    worlds = sample_worlds(RandomStream(seeds, _WORLD), dict(config.worlds))
    stream = RandomStream(seeds, _CAMERA)
    K = sample_intrinsics(stream, height, width, *config.field_of_view)[:, 0]
    # Networks of many views give fields of view only, so their axis goes through the middle.
    K[:, 0, 2], K[:, 1, 2] = 0.5 * (width - 1), 0.5 * (height - 1)
    T = sample_cameras_around(stream, worlds, K, (height, width), count - 1)
    world = torch.arange(len(seeds), device=seeds.device).repeat_interleave(count)
    views = Views(world, K.repeat_interleave(count, 0), T.flatten(0, 1), height, width)
    lens = sample_lenses(RandomStream(seeds, _LENS), count, height, width)
    rendering = render(worlds, views, lens)
    shape = (len(seeds), count)
    return ViewSets(
        images=rendering.image.unflatten(0, shape),
        depth=rendering.depth.unflatten(0, shape),
        valid=(rendering.slot >= 0).unflatten(0, shape),
        K=K.float(),
        T_world_camera=T,
    )
