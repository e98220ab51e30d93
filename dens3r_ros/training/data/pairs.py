# SPDX-License-Identifier: Apache-2.0
"""Rendered pairs as batches to learn from: a pure function of the step."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from dens3r_ros.scenes import (
    HELD_OUT_CONFIG,
    HELD_OUT_SEEDS,
    PairBatch,
    SceneConfig,
    sample_pairs,
)
from dens3r_ros.training.config import TrainingConfig
from dens3r_ros.training.data.rendering import at_once, training_seed, usable
from dens3r_ros.training.data.views import training_views
from dens3r_ros.training.distributed import ProcessGroup
from dens3r_ros.training.losses.matching_loss import draw_matches
from dens3r_ros.training.losses.objectives import Batch
from dens3r_ros.training.losses.truth import PairTruth, ViewTruth
from dens3r_ros.training.losses.views_truth import ViewsBatch
from dens3r_ros.training.optimization.schedule import Moment, Schedule

T = TypeVar("T")


class PairSource:
    """The batches of a run.

    `chunk` steps are rendered at once and gone through `echo` times, each time in another order;
    sizes take turns from chunk to chunk. A chunk stays in memory until another is asked for.
    """

    def __init__(self, config: TrainingConfig, schedule: Schedule, world: ProcessGroup) -> None:
        self._config, self._schedule, self._world = config, schedule, world
        self._key: tuple[int, int] | None = None
        self._chunk: Batch | ViewsBatch | None = None

    def batch(self, step: int) -> Batch | ViewsBatch:
        """This process's share of the pairs of a step."""
        moment = self._schedule.at(step)
        key = moment.phase, moment.chunk
        if key != self._key or self._chunk is None:
            self._key, self._chunk = None, None
            self._key, self._chunk = key, self._render(moment)
        return _chosen(self._chunk, self._order(moment), seed=step)

    def _render(self, moment: Moment) -> Batch | ViewsBatch:
        config, device = self._config, self._world.device
        share = self._world.share(moment.fresh_pairs)
        first = moment.first_fresh + share.start
        if config.views is None:
            return training_batch(first, len(share), moment.size, config, device)
        # Sizes take turns within each number of views, so that every size meets every number.
        turn = moment.chunk // len(config.phases[moment.phase].sizes)
        count = config.views.counts[turn % len(config.views.counts)]
        return training_views(first, len(share), count, moment.size, config, device)

    def _order(self, moment: Moment) -> Tensor:
        count = len(self._world.share(moment.batch))
        whole = len(self._world.share(moment.fresh_pairs))
        if whole == count:
            return torch.arange(count, device=self._world.device)
        generator = torch.Generator().manual_seed(moment.first_fresh + moment.round)
        order = torch.randperm(whole, generator=generator)
        place = moment.place * count
        return order[place : place + count].to(self._world.device)


def training_batch(
    first: int, count: int, size: tuple[int, int], config: TrainingConfig, device: torch.device
) -> Batch:
    """Pairs that a run of this configuration's seed learns from."""
    seed = training_seed(first, config)
    scenes = SceneConfig(motion=config.motion)
    return _rendered(seed, count, size, config, device, scenes)


def heldout_batch(
    first: int, count: int, size: tuple[int, int], config: TrainingConfig, device: torch.device
) -> Batch:
    """Held-out pairs, which no run learns from."""
    seed = HELD_OUT_SEEDS.start + first
    return _rendered(seed, count, size, config, device, HELD_OUT_CONFIG)


def _chosen(value: Any, order: Tensor, seed: int) -> Any:
    """The pairs that `order` names of everything in a batch."""
    if isinstance(value, Tensor):
        return value[order]
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: _chosen(getattr(value, f.name), order, seed) for f in fields(value)}
        return type(value)(**parts)
    return seed


def _rendered(
    first: int,
    count: int,
    size: tuple[int, int],
    config: TrainingConfig,
    device: torch.device,
    scenes: SceneConfig,
) -> Batch:
    width, height = size
    seeds = torch.arange(first, first + count, device=device)
    block = at_once(size, device)
    pairs = sample_pairs(seeds, height, width, device, scenes, block)
    matches = draw_matches(
        usable(pairs.pixels_b_in_a),
        usable(pairs.mask_b_in_a),
        config.matching.count,
        torch.Generator(device).manual_seed(first),
    )
    T_a_b = pairs.T_a_b()
    a = _view(pairs, "a", torch.linalg.inv(T_a_b))
    b = _view(pairs, "b", T_a_b)
    images = usable(pairs.image_a), usable(pairs.image_b)
    return Batch(*images, PairTruth(a, b, matches), seed=first)


def _view(pairs: PairBatch, view: str, T_other_own: Tensor) -> ViewTruth:
    K = getattr(pairs, f"K_{view}")
    return ViewTruth(
        points=usable(pairs.points(view)),
        normals=usable(getattr(pairs, f"normals_{view}")),
        valid=usable(getattr(pairs, f"valid_{view}")),
        focal=usable(K[:, 0, 0]),
        T_other_own=usable(T_other_own).float().contiguous(),
    )
