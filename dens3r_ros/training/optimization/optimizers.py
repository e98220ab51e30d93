# SPDX-License-Identifier: Apache-2.0
"""Which weights move how: frozen ones, slower layers, matrices and the rest."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import torch
from torch import nn

from dens3r_ros.training.config import Optimization
from dens3r_ros.training.optimization.muon import Muon

_BLOCK = re.compile(r"(?:^|\.)(encoder|decoder|backbone)\.blocks(?:_[ab])?\.(\d+)\.")


def freeze(module: nn.Module, prefixes: tuple[str, ...]) -> None:
    """Stop the weights whose names begin so from learning; each prefix must name some."""
    for prefix in prefixes:
        found = [weight for name, weight in module.named_parameters() if name.startswith(prefix)]
        if not found:
            names = sorted({name.split(".")[0] for name, _ in module.named_parameters()})
            raise ValueError(
                f"optimization.frozen: no weight's name begins with {prefix!r}; "
                f"the parts are {', '.join(names)}"
            )
        for weight in found:
            weight.requires_grad_(False)


def layer_of(name: str, encoder_depth: int, decoder_depth: int) -> int:
    """How many layers lie before a weight: 0 at the pixels, 1 + both depths at the heads."""
    block = _BLOCK.search(name)
    if block:
        before = encoder_depth if block[1] == "decoder" else 0
        return 1 + before + int(block[2])
    if "patch_embed" in name:
        return 0
    if ".encoder." in f".{name}" or name.startswith("network.backbone."):
        return encoder_depth
    if "decoder.embed" in name:
        return 1 + encoder_depth
    return 1 + encoder_depth + decoder_depth


class Optimizers:
    """Muon and AdamW, or AdamW alone, behind one learning rate."""

    def __init__(self, module: nn.Module, settings: Optimization, depths: tuple[int, int]) -> None:
        self._clip = settings.clip
        self._weights = [weight for weight in module.parameters() if weight.requires_grad]
        muon, adamw = _groups(module, settings, depths)
        self._members: list[torch.optim.Optimizer] = []
        if muon:
            self._members.append(Muon(muon, lr=0.0))
        if adamw:
            self._members.append(torch.optim.AdamW(adamw, lr=0.0, betas=settings.betas))

    def step(self, lr: float) -> float:
        """Clip, move all weights, forget the gradients; the gradient's norm before clipping.

        A gradient that is not finite moves nothing.
        """
        norm = nn.utils.clip_grad_norm_(self._weights, self._clip, foreach=True)
        finite = bool(norm.isfinite())
        for member in self._members:
            for group in member.param_groups:
                group["lr"] = lr * group["pace"]
            if finite:
                member.step()
            member.zero_grad(set_to_none=True)
        return float(norm)

    def state_dict(self) -> list[dict[str, Any]]:
        """Everything needed to go on."""
        return [member.state_dict() for member in self._members]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Go on from there."""
        for member, state in zip(self._members, states, strict=True):
            member.load_state_dict(state)


def _groups(
    module: nn.Module, settings: Optimization, depths: tuple[int, int]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    muon: dict[Any, list[nn.Parameter]] = defaultdict(list)
    adamw: dict[Any, list[nn.Parameter]] = defaultdict(list)
    last = layer_of("", *depths)
    for name, weight in module.named_parameters():
        if not weight.requires_grad:
            continue
        pace = settings.layer_decay ** (last - layer_of(name, *depths))
        if settings.method == "muon" and weight.ndim == 2 and _BLOCK.search(name):
            muon[pace, 3 if name.endswith("qkv.weight") else 1].append(weight)
        else:
            adamw[pace, settings.weight_decay if weight.ndim > 1 else 0.0].append(weight)
    decay = settings.weight_decay
    return (
        [
            {"params": p, "pace": pace, "stacks": n, "weight_decay": decay}
            for (pace, n), p in muon.items()
        ],
        [{"params": p, "pace": pace, "weight_decay": d} for (pace, d), p in adamw.items()],
    )
