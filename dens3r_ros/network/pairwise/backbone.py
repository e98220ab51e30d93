# SPDX-License-Identifier: Apache-2.0
"""The encoder, which looks at one image, and the decoder, which compares two."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dens3r_ros.network.pairwise.blocks import NORM_EPSILON, DecoderBlock, EncoderBlock
from dens3r_ros.network.pairwise.description import BackboneSize, NetworkDescription
from dens3r_ros.network.parts.rope import RotaryEmbedding, Tables


@dataclass(frozen=True, eq=False)
class Tokens:
    """An encoded batch of images: `data` (B, rows * columns, width) float32, row by row."""

    data: Tensor
    grid: tuple[int, int]
    """(rows, columns) of patches."""


@dataclass(frozen=True, eq=False)
class States:
    """One view of a batch of pairs after the decoder: the layers that heads read."""

    layers: dict[int, Tensor]
    """(B, rows * columns, width) by layer: 0 is the encoder's output, k the state after block k."""
    grid: tuple[int, int]


class Encoder(nn.Module):
    """Images to tokens."""

    def __init__(self, description: BackboneSize | NetworkDescription) -> None:
        super().__init__()
        size = description.encoder
        self.patch = description.patch
        self.patch_embed = nn.Conv2d(3, size.width, self.patch, self.patch)
        self.rope = RotaryEmbedding(
            size.width // size.heads, description.rope_base, description.rope_grid
        )
        self.blocks = nn.ModuleList(EncoderBlock(size) for _ in range(size.depth))
        self.norm = nn.LayerNorm(size.width, NORM_EPSILON)

    def forward(self, images: Tensor) -> Tokens:
        """Encode (B, 3, H, W) images in [-1, 1]; H and W are multiples of the patch size."""
        height, width = images.shape[-2:]
        if height % self.patch or width % self.patch:
            raise ValueError(f"image size {width}x{height} is no multiple of {self.patch}")
        grid = (height // self.patch, width // self.patch)
        images = images.to(self.patch_embed.weight.dtype)
        x = self.patch_embed(images).flatten(2).transpose(1, 2).float().contiguous()
        return Tokens(self.compared(x, self.rope(grid, images.device)), grid)

    def compared(self, x: Tensor, tables: Tables) -> Tensor:
        """Embedded tokens (B, N, width) after all blocks, in which they look at each other."""
        for block in self.blocks:
            x = block(x, tables)
        return self.norm(x)


class Decoder(nn.Module):
    """Two images' tokens to both views' states; the two views look at each other in each block."""

    def __init__(self, description: BackboneSize | NetworkDescription) -> None:
        super().__init__()
        size = description.decoder
        self.embed = nn.Linear(description.encoder.width, size.width)
        self.rope = RotaryEmbedding(
            size.width // size.heads, description.rope_base, description.rope_grid
        )
        self.blocks_a = nn.ModuleList(DecoderBlock(size) for _ in range(size.depth))
        self.blocks_b = (
            None
            if description.shared_decoder
            else nn.ModuleList(DecoderBlock(size) for _ in range(size.depth))
        )
        self.norm = nn.LayerNorm(size.width, NORM_EPSILON)

    def forward(self, a: Tokens, b: Tokens, keep: Collection[int]) -> tuple[States, States]:
        """The states of both views after the layers in `keep`; 0 is the encoder's output."""
        x, y = self.embedded(a), self.embedded(b)
        tables = self.rope(a.grid, x.device), self.rope(b.grid, y.device)
        together = self.blocks_b is None and x.shape == y.shape and a.grid == b.grid
        layers_a, layers_b = {0: a.data}, {0: b.data}
        for layer, block in enumerate(self.blocks_a, start=1):
            if together:
                x, y = _step_together(block, x, y, tables)
            else:
                block_b = block if self.blocks_b is None else self.blocks_b[layer - 1]
                x, y = block(x, y, *tables), block_b(y, x, *reversed(tables))
            if layer in keep:
                last = layer == len(self.blocks_a)
                layers_a[layer] = self.norm(x) if last else x
                layers_b[layer] = self.norm(y) if last else y
        return States(layers_a, a.grid), States(layers_b, b.grid)

    def embedded(self, tokens: Tokens) -> Tensor:
        """Tokens (B, N, encoder width) in the decoder's width, what the first block takes."""
        return self.embed(tokens.data.to(self.embed.weight.dtype)).float()


def _step_together(
    block: nn.Module, x: Tensor, y: Tensor, tables: tuple[Tables, Tables]
) -> tuple[Tensor, Tensor]:
    """Both views through one block as one batch, which reads its weights once."""
    both = block(torch.cat((x, y)), torch.cat((y, x)), *tables)
    views = x.shape[0]  # `len` would tie an export to this number
    return both[:views], both[views:]
