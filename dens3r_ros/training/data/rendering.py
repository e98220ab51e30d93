# SPDX-License-Identifier: Apache-2.0
"""What rendering of pairs and of larger sets of views has in common."""

from __future__ import annotations

import torch
from torch import Tensor

from dens3r_ros.scenes import FIRST_TRAINING_SEED
from dens3r_ros.training.config import TrainingConfig

_ROOM = 2**32
"""Seeds that each run has to itself."""
_PIXELS_AT_ONCE = {"cuda": 2**26 + 2**24, "cpu": 2**17}
"""Pixels of one view rendered at a time: a GPU is only busy with many, a CPU's caches hold few."""


def training_seed(first: int, config: TrainingConfig) -> int:
    """The seed of what is rendered as number `first` in a run of this configuration."""
    return FIRST_TRAINING_SEED + _ROOM * config.seed + first


def at_once(size: tuple[int, int], device: torch.device) -> int:
    """How many images of `size` (width, height) are rendered together."""
    return max(1, _PIXELS_AT_ONCE[device.type] // (size[0] * size[1]))


def usable(tensor: Tensor) -> Tensor:
    """A copy that autograd may keep, which it may not of tensors of inference mode."""
    return tensor.clone() if tensor.is_inference() else tensor
