# SPDX-License-Identifier: Apache-2.0
"""What a run must beat: the mean of all true pointmaps, which looks at no image."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.network.prediction import PairPrediction
from dens3r_ros.training.config import TrainingConfig
from dens3r_ros.training.data.pairs import heldout_batch, training_batch
from dens3r_ros.training.distributed import ProcessGroup
from dens3r_ros.training.losses.pointmap_losses import mean_distance
from dens3r_ros.training.validation.heldout import Tally, pair_errors

_AT_ONCE = 64


@torch.no_grad()
def mean_pointmap_errors(
    config: TrainingConfig, world: ProcessGroup, pairs: int = 1024
) -> dict[str, float]:
    """Its errors on the held-out pairs, at the size at which the run ends, named as in the log.

    The mean is taken of `pairs` training pairs.
    """
    size, settings = config.phases[-1].sizes[-1], config.evaluation
    guess = _mean(pairs, size, config, world)
    tally = Tally()
    for first in range(0, settings.pairs, settings.batch):
        count = min(settings.batch, settings.pairs - first)
        truth = heldout_batch(first, count, size, config, world.device).truth
        a, b = (points.expand(count, -1, -1, -1) for points in guess)
        prediction = PairPrediction(points_a=a, points_b=b)
        tally.add(pair_errors(prediction, prediction, truth))
    return tally.summary()


def _mean(
    pairs: int, size: tuple[int, int], config: TrainingConfig, world: ProcessGroup
) -> tuple[Tensor, Tensor]:
    """(H, W, 3) of each view: the mean over training pairs, each in units of its mean distance."""
    width, height = size
    sums = torch.zeros(2, height, width, 3, device=world.device)
    counts = torch.zeros(2, height, width, 1, device=world.device)
    for first in range(0, pairs, _AT_ONCE):
        count = min(_AT_ONCE, pairs - first)
        truth = training_batch(first, count, size, config, world.device).truth
        points, valid = truth.pointmaps(), truth.masks()
        unit = points / mean_distance(points, valid)
        for view, (values, known) in enumerate(((unit.a, valid.a), (unit.b, valid.b))):
            sums[view] += torch.where(known[..., None], values, 0).sum(0)
            counts[view] += known.sum(0)[..., None]
    mean = sums / counts.clamp(min=1)
    return mean[0], mean[1]
