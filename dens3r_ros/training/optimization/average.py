# SPDX-License-Identifier: Apache-2.0
"""The moving average of the weights, which is what a run gives away."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar, cast

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


class WeightAverage(Generic[M]):
    """A network whose weights follow those of another with a decay a step.

    Young averages follow faster, so that random weights are forgotten at once.
    """

    def __init__(self, module: M, decay: float) -> None:
        self.module: M = copy.deepcopy(module).requires_grad_(False).eval()
        self._decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the weights after step number `step`, from 0."""
        decay = min(self._decay, (1 + step) / (10 + step))
        mine = cast(list[torch.Tensor], list(self.module.parameters()))
        theirs = [parameter.detach() for parameter in module.parameters()]
        torch._foreach_lerp_(mine, theirs, 1 - decay)
