# SPDX-License-Identifier: Apache-2.0
"""What networks of many views are made of: descriptions from which all of them are built."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from dens3r_ros.network.parts.dinov2 import DinoSize

Hooks = tuple[int, int, int, int]
ROPE_BASE = 100.0
UNKNOWN_LICENCE = "unknown"


@dataclass(frozen=True)
class DenseSize:
    """Channel counts of a dense head: of its four maps, and of the maps where they are fused."""

    layer_dims: tuple[int, int, int, int]
    features: int


@dataclass(frozen=True)
class CameraEncoderSize:
    """Of the part that takes cameras which are known beforehand."""

    depth: int = 4
    heads: int = 16


@dataclass(frozen=True)
class AnyViewDescription:
    """A Depth Anything 3 network for any number of views.

    cross_from      block before which views get their camera tokens; from it on every odd block
                    looks at all views at once
    qk_norm_from    first block that normalises queries and keys
    rotate_from     first block that knows positions by rotation
    hooks           blocks that the heads read, the last one for cameras too
    camera_encoder  None where cameras cannot be given
    """

    encoder: DinoSize
    head: DenseSize
    cross_from: int
    qk_norm_from: int
    rotate_from: int
    hooks: Hooks
    camera_encoder: CameraEncoderSize | None = CameraEncoderSize()
    licence: str = UNKNOWN_LICENCE

    def __post_init__(self) -> None:
        check_hooks(self.hooks, self.encoder.depth)
        if not 1 <= self.cross_from < self.encoder.depth:
            raise ValueError(f"views cannot meet before block {self.cross_from}")


def check_hooks(hooks: tuple[int, ...], depth: int) -> None:
    """Raise ValueError where a dense head cannot read these blocks."""
    rising = all(a < b for a, b in itertools.pairwise(hooks))
    if len(hooks) != 4 or not rising or hooks[0] < 0 or hooks[-1] >= depth:
        raise ValueError(
            f"a dense head reads four rising blocks of 0 to {depth - 1}, not {tuple(hooks)}"
        )
