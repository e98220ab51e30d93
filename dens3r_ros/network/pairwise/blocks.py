# SPDX-License-Identifier: Apache-2.0
"""Transformer blocks of the encoder and the decoder.

The stream between blocks and the norms are float32; linear layers work in the type of their
weights, so that a backbone in half precision loses little.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.pairwise.description import TransformerSize
from dens3r_ros.network.parts.rope import Tables, rotate

NORM_EPSILON = 1e-6


class SelfAttention(nn.Module):
    """Multi-head attention of the patches of one image."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, tables: Tables) -> Tensor:
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        query, key = rotate(qkv[:, :, :2], tables).unbind(2)
        return self.proj(_attend(query, key, qkv[:, :, 2]))


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
        return self.proj(_attend(query, key, value))


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Softmax attention of (B, N, heads, head_dim) tensors, heads merged: (B, N, C)."""
    query, key, value = (stream.transpose(1, 2) for stream in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between them."""

    def __init__(self, width: int, hidden: int, out: int | None = None) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width if out is None else out)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class EncoderBlock(nn.Module):
    """Self-attention and MLP, each after a norm and added to the stream."""

    def __init__(self, size: TransformerSize) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size.width, NORM_EPSILON)
        self.attn = SelfAttention(size.width, size.heads)
        self.norm2 = nn.LayerNorm(size.width, NORM_EPSILON)
        self.mlp = Mlp(size.width, size.mlp_width)

    def forward(self, x: Tensor, tables: Tables) -> Tensor:
        dtype = self.mlp.fc1.weight.dtype
        x = x + self.attn(self.norm1(x).to(dtype), tables)
        return x + self.mlp(self.norm2(x).to(dtype))


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
