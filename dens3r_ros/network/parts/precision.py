# SPDX-License-Identifier: Apache-2.0
"""Half precision where it costs little: in linear layers and convolutions of a backbone."""

from __future__ import annotations

import torch
from torch import nn


def set_linear_dtype(part: nn.Module, dtype: torch.dtype) -> None:
    """Let them work in `dtype`, in place and one layer at a time; norms stay as they are."""
    for module in part.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.to(dtype)
