# SPDX-License-Identifier: Apache-2.0
"""Which of several views is the reference: the one whose camera the others are told against."""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

ReferenceRule = Literal["saddle_balanced", "saddle_sim_range", "first", "middle"]
FEWEST_VIEWS = 3
"""Below this number the first view is the reference, whatever the rule."""


def choose_reference(summaries: Tensor, rule: ReferenceRule | int) -> Tensor:
    """The index (B,) of the reference view of each scene.

    `summaries` (B, S, C) is the class token of every view. Instead of a rule, a number names
    the view.
    """
    scenes, views = summaries.shape[:2]
    if isinstance(rule, int):
        _check_index(rule, views)
    elif rule not in get_args(ReferenceRule):
        raise ValueError(f"no rule {rule!r} for the reference view; there are {ReferenceRule}")
    fixed = rule if isinstance(rule, int) else {"first": 0, "middle": views // 2}.get(rule)
    if views < FEWEST_VIEWS and not isinstance(rule, int):
        fixed = 0
    if fixed is not None:
        return torch.full((scenes,), fixed, dtype=torch.long, device=summaries.device)
    return _balanced(summaries) if rule == "saddle_balanced" else _widest(summaries)


def _check_index(index: int, views: int) -> None:
    if not 0 <= index < views:
        raise ValueError(f"there is no view {index} among {views}")


def _balanced(summaries: Tensor) -> Tensor:
    """The view nearest to the middle in similarity to the others, in norm and in variance."""
    views = summaries.shape[1]
    unit = F.normalize(summaries, dim=-1)
    similarity = ((unit @ unit.transpose(1, 2)).sum(-1) - 1) / (views - 1)
    measures = torch.stack((similarity, summaries.norm(dim=-1), unit.var(-1)), dim=-1)
    low, high = measures.amin(1, keepdim=True), measures.amax(1, keepdim=True)
    balanced = (measures - low) / (high - low + 1e-8)
    return (balanced - 0.5).abs().sum(-1).argmin(1)


def _widest(summaries: Tensor) -> Tensor:
    """The view with the widest range of similarities to the others."""
    unit = F.normalize(summaries, dim=-1)
    identity = torch.eye(summaries.shape[1], dtype=unit.dtype, device=unit.device)
    similarity = unit @ unit.transpose(1, 2) - identity
    return (similarity.amax(-1) - similarity.amin(-1)).argmax(1)


def bring_forward(reference: Tensor, views: int) -> Tensor:
    """(B, S): for each scene the order of views that has the reference first."""
    order = torch.arange(views, device=reference.device).expand(len(reference), views)
    # A stable sort by "is not the reference" leaves the others as they were.
    return (order != reference[:, None]).long().argsort(dim=1, stable=True)


def back_again(order: Tensor) -> Tensor:
    """The order that undoes `order`."""
    return order.argsort(dim=1)


def reorder(values: Tensor, order: Tensor) -> Tensor:
    """Views (dimension 1) of `values` (B, S, ...) in `order` (B, S)."""
    return torch.take_along_dim(values, order.reshape(*order.shape, *[1] * (values.ndim - 2)), 1)
