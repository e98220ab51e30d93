# SPDX-License-Identifier: Apache-2.0
"""Transformer blocks of the encoder and the decoder of pairwise networks."""

from __future__ import annotations

from torch import Tensor, nn

from dens3r_ros.network.pairwise.description import TransformerSize
from dens3r_ros.network.parts.blocks import Block, BlockSize, Mlp, SelfAttention, attend
from dens3r_ros.network.parts.rope import Tables, rotate

NORM_EPSILON = 1e-6


class CrossAttention(nn.Module):
    """Multi-head attention of the patches of one image to those of another."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projq = nn.Linear(width, width)
        self.projk = nn.Linear(width, width)
        self.projv = nn.Linear(width, width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, other: Tensor, tables: Tables, other_tables: Tables) -> Tensor:
        shape = (1, self.heads, -1)
        query = rotate(self.projq(x).unflatten(-1, shape), tables)[:, :, 0]
        key = rotate(self.projk(other).unflatten(-1, shape), other_tables)[:, :, 0]
        value = self.projv(other).unflatten(-1, (self.heads, -1))
        return self.proj(attend(query, key, value))


class EncoderBlock(Block):
    """Self-attention and MLP, each after a norm and added to the stream."""

    def __init__(self, size: TransformerSize) -> None:
        super().__init__(
            BlockSize(size.width, size.heads, size.mlp_width, NORM_EPSILON, layer_scale=False)
        )


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention to the other view's stream, and MLP."""

    def __init__(self, size: TransformerSize) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size.width, NORM_EPSILON)
        self.attn = SelfAttention(size.width, size.heads)
        self.norm2 = nn.LayerNorm(size.width, NORM_EPSILON)
        self.norm_y = nn.LayerNorm(size.width, NORM_EPSILON)
        self.cross_attn = CrossAttention(size.width, size.heads)
        self.norm3 = nn.LayerNorm(size.width, NORM_EPSILON)
        self.mlp = Mlp(size.width, size.mlp_width)

    def forward(self, x: Tensor, other: Tensor, tables: Tables, other_tables: Tables) -> Tensor:
        dtype = self.mlp.fc1.weight.dtype
        x = x + self.attn(self.norm1(x).to(dtype), tables)
        other = self.norm_y(other).to(dtype)
        x = x + self.cross_attn(self.norm2(x).to(dtype), other, tables, other_tables)
        return x + self.mlp(self.norm3(x).to(dtype))
