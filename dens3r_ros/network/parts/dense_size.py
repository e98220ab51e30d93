# SPDX-License-Identifier: Apache-2.0
"""Sizes of dense heads, and the blocks that they read."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

Hooks = tuple[int, int, int, int]
"""Four blocks by index; what a head reads is the stream after each."""


@dataclass(frozen=True)
class DenseSize:
    """Channel counts of a dense head: of its four maps, and of the maps where they are fused."""

    layer_dims: tuple[int, int, int, int]
    features: int


def check_hooks(hooks: tuple[int, ...], depth: int) -> None:
    """Raise ValueError where a dense head cannot read these blocks."""
    rising = all(a < b for a, b in itertools.pairwise(hooks))
    if len(hooks) != 4 or not rising or hooks[0] < 0 or hooks[-1] >= depth:
        raise ValueError(
            f"a dense head reads four rising blocks of 0 to {depth - 1}, not {tuple(hooks)}"
        )
