# SPDX-License-Identifier: Apache-2.0
"""What moves by how a network of the DUSt3R layout looks from image to image (Easi3R)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from dens3r_ros.engines.moving.masks import MovingMasks, name_of
from dens3r_ros.engines.moving.pairs import Arrival, arrivals
from dens3r_ros.engines.protocol import Features
from dens3r_ros.engines.torch_engine import TorchEngine, check_equal_sizes
from dens3r_ros.frame import Frame
from dens3r_ros.network.attention.clusters import look_alike
from dens3r_ros.network.attention.motion import (
    LookedAt,
    enlarged,
    motion_threshold,
    smoothed,
)
from dens3r_ros.network.attention.watching import watched_decode

_JUDGED = 64
"""Images, evenly of all, from whose maps the threshold is taken."""


def masks_by_attention(engine: TorchEngine, frames: Iterable[Frame]) -> MovingMasks:
    """Masks of a run of images, each of which is encoded once and decoded with ten others.

    Kept of each image until the end are its tokens in half precision, by which patches are said to
    look alike: 1.6 MB at 512x384 of a network of DUSt3R's size. The threshold parts what was
    looked at most unlike the rest, so that a run in which nothing moves loses something too.
    """
    looked, run = LookedAt(), _Run(engine.sizing.patch)
    for arrival in arrivals(engine, frames):
        for number, partner in arrival.partners.items():
            assert arrival.features is not None
            _look(engine, looked, (arrival.number, arrival.features), (number, partner))
        run.keep(arrival)
        for number in arrival.finished:
            looked.settle(number)
    return run.masks(looked.motion())


def _look(
    engine: TorchEngine,
    looked: LookedAt,
    one: tuple[int, Features],
    other: tuple[int, Features],
) -> None:
    check_equal_sizes([(one[1], other[1])])
    with torch.inference_mode():
        for (i, a), (j, b) in ((one, other), (other, one)):
            seen = watched_decode(engine.network, a.data.tokens, b.data.tokens)
            looked.add((i, j), seen.of_a[0], seen.of_b[0])


class _Run:
    """What is kept of the images: names, tokens, and whether the network saw them turned."""

    def __init__(self, patch: int) -> None:
        self._patch = patch
        self._names: list[str] = []
        self._tokens: list[Tensor] = []
        self._turned: list[bool] = []

    def keep(self, arrival: Arrival) -> None:
        if arrival.features is None:
            return
        seen = arrival.features.data
        self._names.append(name_of(arrival.features.frame.image))
        self._tokens.append(seen.tokens.data[0].half().cpu().unflatten(0, seen.tokens.grid))
        self._turned.append(seen.turned)

    def masks(self, motion: list[Tensor]) -> MovingMasks:
        maps = smoothed(motion, look_alike(self._tokens))
        step = -(-len(maps) // _JUDGED)
        judged = [self._pixels(one).flatten() for one in maps[::step]]
        threshold = motion_threshold(torch.cat(judged).numpy())
        masks = MovingMasks()
        for name, one, turned in zip(self._names, maps, self._turned, strict=True):
            mask = self._pixels(one) > threshold
            masks.put(name, (mask.rot90(-1) if turned else mask).numpy())
        return masks

    def _pixels(self, one: Tensor) -> Tensor:
        return enlarged(one, (one.shape[0] * self._patch, one.shape[1] * self._patch))
