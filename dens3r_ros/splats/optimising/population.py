# SPDX-License-Identifier: Apache-2.0
"""Splats that are being optimised: their number changes while Adam's moments stay with them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from dens3r_ros.splats.gaussians import Gaussians


class Population:
    """Parameters by the names of `Gaussians`, each with a learning rate of its own."""

    def __init__(self, gaussians: Gaussians, rates: Mapping[str, float]) -> None:
        tensors = gaussians.tensors()
        self._leaves = {name: t.detach().clone().requires_grad_() for name, t in tensors.items()}
        groups = [
            {"params": [leaf], "lr": rates[name], "name": name}
            for name, leaf in self._leaves.items()
        ]
        self._adam = torch.optim.Adam(groups, eps=1e-15, fused=True)

    def __len__(self) -> int:
        return len(self._leaves["means"])

    @property
    def gaussians(self) -> Gaussians:
        """The leaves themselves."""
        return Gaussians(**self._leaves)

    def rate(self, name: str) -> float:
        """The learning rate of one kind of number."""
        return next(g["lr"] for g in self._adam.param_groups if g["name"] == name)

    def set_rate(self, name: str, rate: float) -> None:
        """Change one learning rate."""
        for group in self._adam.param_groups:
            if group["name"] == name:
                group["lr"] = rate

    def step(self) -> None:
        """Follow the gradients, and forget them."""
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)

    def rearrange(self, sources: Tensor, fresh: Tensor, changed: Mapping[str, Tensor]) -> None:
        """Let the n-th splat be a copy of the one at `sources[n]` from now on.

        Those where `fresh` begin without moments; `changed` gives whole new tensors of some kinds.
        """
        for group in self._adam.param_groups:
            old, name = group["params"][0], group["name"]
            state = self._adam.state.pop(old, {})
            values = changed[name] if name in changed else old.detach()[sources]
            leaf = values.clone().requires_grad_()
            group["params"][0] = self._leaves[name] = leaf
            if state:
                self._adam.state[leaf] = {
                    key: self._moved(value, sources, fresh) for key, value in state.items()
                }

    def _moved(self, value: Tensor, sources: Tensor, fresh: Tensor) -> Tensor:
        if value.ndim == 0:
            return value
        moved = value[sources]
        moved[fresh] = 0
        return moved
