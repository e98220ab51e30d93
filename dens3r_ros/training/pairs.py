# SPDX-License-Identifier: Apache-2.0
"""Rendered pairs as batches to learn from: a pure function of the step."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.scenes import PairBatch, sample_pairs
from dens3r_ros.training.config import TrainingConfig
from dens3r_ros.training.distributed import World
from dens3r_ros.training.matching_loss import draw_matches
from dens3r_ros.training.objectives import Batch
from dens3r_ros.training.schedule import Moment
from dens3r_ros.training.truth import Truth, ViewTruth

_HELD_OUT = 0
_TRAINING = 2**32
"""Where the seeds of training begin; each run's own seed leaves room for 2^32 pairs."""


def render_batch(moment: Moment, config: TrainingConfig, world: World) -> Batch:
    """This process's share of the pairs of a step."""
    share = world.share(moment.batch)
    first = _TRAINING * (1 + config.seed) + moment.first_pair
    return _batch(first + share.start, len(share), moment.size, config, world.device)


def heldout_batch(
    first: int, count: int, size: tuple[int, int], config: TrainingConfig, device: torch.device
) -> Batch:
    """Held-out pairs, which no run learns from."""
    return _batch(_HELD_OUT + first, count, size, config, device)


def _batch(
    first: int, count: int, size: tuple[int, int], config: TrainingConfig, device: torch.device
) -> Batch:
    width, height = size
    seeds = torch.arange(first, first + count, device=device)
    pairs = sample_pairs(seeds, height, width, device)
    matches = draw_matches(
        _usable(pairs.pixels_b_in_a),
        _usable(pairs.mask_b_in_a),
        config.matching.count,
        torch.Generator().manual_seed(first),
    )
    T_a_b = pairs.T_a_b()
    a = _view(pairs, "a", torch.linalg.inv(T_a_b))
    b = _view(pairs, "b", T_a_b)
    images = _usable(pairs.image_a), _usable(pairs.image_b)
    return Batch(*images, Truth(a, b, matches), seed=first)


def _view(pairs: PairBatch, view: str, T_other_own: Tensor) -> ViewTruth:
    K = getattr(pairs, f"K_{view}")
    return ViewTruth(
        points=_usable(pairs.points(view)),
        normals=_usable(getattr(pairs, f"normals_{view}")),
        valid=_usable(getattr(pairs, f"valid_{view}")),
        focal=_usable(K[:, 0, 0]),
        T_other_own=_usable(T_other_own).float(),
    )


def _usable(tensor: Tensor) -> Tensor:
    """A copy that autograd may keep, which it may not of tensors of inference mode."""
    return tensor.clone() if tensor.is_inference() else tensor
