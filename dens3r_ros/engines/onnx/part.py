# SPDX-License-Identifier: Apache-2.0
"""One ONNX file to be made."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class PartToExport:
    """A module, and what its file's inputs and outputs are called.

    examples  of every input, in the module's order; their first dimension is free in the file
    listed    whether the module takes its inputs as one list, of any length
    """

    name: str
    module: nn.Module
    examples: dict[str, Tensor]
    outputs: tuple[str, ...]
    listed: bool = False
