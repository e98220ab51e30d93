# SPDX-License-Identifier: Apache-2.0
"""Rendered sets of views as batches to learn from."""

from __future__ import annotations

import torch

from dens3r_ros.scenes import HELD_OUT_CONFIG, HELD_OUT_SEEDS, SceneConfig, sample_view_sets
from dens3r_ros.training.config import TrainingConfig
from dens3r_ros.training.data.rendering import at_once, training_seed, usable
from dens3r_ros.training.losses.views_truth import ViewsBatch


def training_views(
    first: int,
    count: int,
    views: int,
    size: tuple[int, int],
    config: TrainingConfig,
    device: torch.device,
) -> ViewsBatch:
    """`count` sets of `views` views that a run of this configuration's seed learns from."""
    return _rendered(training_seed(first, config), count, views, size, device)


def heldout_views(
    first: int, count: int, views: int, size: tuple[int, int], device: torch.device
) -> ViewsBatch:
    """Held-out sets of views, which no run learns from."""
    return _rendered(HELD_OUT_SEEDS.start + first, count, views, size, device, HELD_OUT_CONFIG)


def _rendered(
    first: int,
    count: int,
    views: int,
    size: tuple[int, int],
    device: torch.device,
    scenes: SceneConfig | None = None,
) -> ViewsBatch:
    width, height = size
    seeds = torch.arange(first, first + count, device=device)
    block = max(1, at_once(size, device) // views)
    sets = sample_view_sets(seeds, views, height, width, device, scenes, block)
    T_first_view = torch.linalg.inv(sets.T_world_camera[:, :1]) @ sets.T_world_camera
    return ViewsBatch(
        images=usable((sets.images + 1) / 2),
        depth=usable(sets.depth),
        valid=usable(sets.valid),
        K=usable(sets.K),
        T_first_view=usable(T_first_view.float()),
    )
