# SPDX-License-Identifier: Apache-2.0
"""What networks of many views are made of: descriptions from which all of them are built."""

from __future__ import annotations

from dataclasses import dataclass

from dens3r_ros.network.parts.blocks import BlockSize
from dens3r_ros.network.parts.dense_size import DenseSize, Hooks, check_hooks
from dens3r_ros.network.parts.dinov2 import DinoSize

ROPE_BASE = 100.0
UNKNOWN_LICENCE = "unknown"
TRAINING_SIZE = (504, 378)
"""(width, height) of a 4:3 image at the long side at which the published networks are used."""


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
    training_size   (width, height) of the images that it was last trained on, pixels
    """

    encoder: DinoSize
    head: DenseSize
    cross_from: int
    qk_norm_from: int
    rotate_from: int
    hooks: Hooks
    camera_encoder: CameraEncoderSize | None = CameraEncoderSize()
    licence: str = UNKNOWN_LICENCE
    training_size: tuple[int, int] = TRAINING_SIZE

    def __post_init__(self) -> None:
        check_hooks(self.hooks, self.encoder.depth)
        if not 1 <= self.cross_from < self.encoder.depth:
            raise ValueError(f"views cannot meet before block {self.cross_from}")


@dataclass(frozen=True)
class CameraHeadSize:
    """Of the part of VGGT that finds cameras, and how often it refines them."""

    depth: int = 4
    heads: int = 16
    iterations: int = 4


@dataclass(frozen=True)
class VggtDescription:
    """A VGGT network.

    depth      pairs of blocks of kind `block`: one that looks at one view, one that looks at all
    registers  tokens of every view beside those of its camera and patches
    hooks      pairs of blocks that the dense heads read
    """

    encoder: DinoSize
    block: BlockSize
    depth: int
    registers: int
    head: DenseSize
    hooks: Hooks
    camera_head: CameraHeadSize = CameraHeadSize()
    licence: str = UNKNOWN_LICENCE

    def __post_init__(self) -> None:
        check_hooks(self.hooks, self.depth)
