# SPDX-License-Identifier: Apache-2.0
"""What a network says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkInfo:
    """What a network is and gives, for people and for the engines above."""

    family: str
    patch: int
    training_size: tuple[int, int]
    """(width, height), pixels."""
    metric: bool
    outputs: tuple[str, ...]
    """Names of the maps and cameras that it gives."""
    parameters: int
    turn_portraits: bool
    licence: str
    """Of the weights."""
    views: int = 2
    """Images that it looks at together; 0 where it takes any number."""
