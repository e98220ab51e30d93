# SPDX-License-Identifier: Apache-2.0
"""The type of numbers that a part of a network works in."""

from __future__ import annotations

import torch
from torch import nn


def to_dtype(part: nn.Module, dtype: torch.dtype) -> None:
    """Let linear layers and convolutions of `part` work in `dtype`; norms stay as they are.

    In place, one layer at a time.
    """
    for module in part.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.to(dtype)
