# SPDX-License-Identifier: Apache-2.0
"""The backbone of VGGT: an encoder of single images, then blocks that look at one and at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dens3r_ros.network.multiview.description import ROPE_BASE, VggtDescription
from dens3r_ros.network.parts.blocks import Block
from dens3r_ros.network.parts.dinov2 import DinoEncoder, patch_grid
from dens3r_ros.network.parts.rope import Tables, token_tables


@dataclass(frozen=True, eq=False)
class PatchTokens:
    """A batch of images after the encoder.

    data  (B, rows * columns, width) float32, row by row
    grid  (rows, columns) of patches
    """

    data: Tensor
    grid: tuple[int, int]

    def split(self) -> list[PatchTokens]:
        """Each image of the batch by itself."""
        return [PatchTokens(image, self.grid) for image in self.data.split(1)]


class VggtBackbone(nn.Module):
    """Encoder, and pairs of blocks: the first of each looks at one view, the second at all."""

    def __init__(self, description: VggtDescription) -> None:
        super().__init__()
        self.description = description
        block = description.block
        self.head_dim = block.width // block.heads
        self.encoder = DinoEncoder(description.encoder)
        self.camera_token = nn.Parameter(torch.zeros(1, 2, 1, block.width))
        self.register_token = nn.Parameter(torch.zeros(1, 2, description.registers, block.width))
        self.view_blocks = nn.ModuleList(Block(block) for _ in range(description.depth))
        self.scene_blocks = nn.ModuleList(Block(block) for _ in range(description.depth))

    @property
    def special(self) -> int:
        """Tokens before those of the patches: of the camera, and registers."""
        return 1 + self.description.registers

    def encode(self, images: Tensor) -> PatchTokens:
        """What is computed for one view alone; images (B, 3, H, W) are normalised."""
        special = self.description.encoder.special
        grid = patch_grid(images, self.description.encoder.patch)
        return PatchTokens(self.encoder(images)[0][:, special:], grid)

    def decode(self, views: Sequence[PatchTokens]) -> dict[int, Tensor]:
        """Compare views; by pair of blocks that heads read, (B, S, special + patches, 2 * width).

        The last pair is always among them. Channels are those after the first block of the pair,
        then those after the second.
        """
        return self.compare(self.tokens([view.data for view in views]), views[0].grid)

    def compare(self, x: Tensor, grid: tuple[int, int]) -> dict[int, Tensor]:
        """The same of tokens (B, S, special + patches, width)."""
        tables = token_tables(self.head_dim, ROPE_BASE, grid, self.special, x.device)
        all_tables = _repeated(tables, x.shape[1])
        found = {}
        for index in range(self.description.depth):
            alone = self.view_blocks[index](x.flatten(0, 1), tables).view_as(x)
            x = self.scene_blocks[index](alone.flatten(1, 2), all_tables).view_as(x)
            if index in (*self.description.hooks, self.description.depth - 1):
                found[index] = torch.cat((alone, x), dim=-1)
        return found

    def tokens(self, patches: Sequence[Tensor]) -> Tensor:
        """(B, S, special + patches, width): the first view has special tokens of its own."""
        return self.with_special(torch.stack([*patches], dim=1))

    def with_special(self, patches: Tensor) -> Tensor:
        """The same of patches (B, S, rows * columns, width)."""
        own = torch.cat((self.camera_token, self.register_token), dim=2)
        first = torch.arange(patches.shape[1], device=own.device) == 0
        special = torch.where(first[:, None, None], own[:, :1, :], own[:, 1:, :])
        return torch.cat((special.expand(len(patches), -1, -1, -1), patches), dim=2)


def _repeated(tables: Tables, views: int) -> Tables:
    cosine, sine = (table.repeat(views, 1, 1, 1) for table in tables)
    return cosine, sine
