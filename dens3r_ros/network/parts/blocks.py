# SPDX-License-Identifier: Apache-2.0
"""Transformer blocks of every family.

The stream between blocks and the norms are float32; linear layers work in the type of their
weights, so that a backbone in half precision loses little.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.parts.rope import Tables, rotate

QK_NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class BlockSize:
    """Sizes and kinds of the parts of a block.

    hidden       width between the two layers of the MLP
    epsilon      of both layer norms
    layer_scale  whether what is added to the stream is scaled channel by channel
    qk_norm      whether queries and keys are normalised, head by head
    gated        whether the MLP is a SwiGLU instead of two layers around a GELU
    """

    width: int
    heads: int
    hidden: int
    epsilon: float = 1e-6
    layer_scale: bool = True
    qk_norm: bool = False
    gated: bool = False

    def __post_init__(self) -> None:
        if min(self.width, self.heads, self.hidden) < 1 or self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide the width {self.width}")


class SelfAttention(nn.Module):
    """Multi-head attention of the tokens of one sequence, turned by position where told so."""

    def __init__(self, width: int, heads: int, qk_norm: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        if qk_norm:
            self.q_norm = nn.LayerNorm(width // heads, QK_NORM_EPSILON)
            self.k_norm = nn.LayerNorm(width // heads, QK_NORM_EPSILON)
        self.qk_norm = qk_norm

    def forward(
        self, x: Tensor, tables: Tables | None = None, rows: Tensor | None = None
    ) -> Tensor:
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        if not self.qk_norm:
            pair = qkv[:, :, :2] if tables is None else rotate(qkv[:, :, :2], tables)
            return self.proj(attend(taken(pair[:, :, 0], rows), pair[:, :, 1], qkv[:, :, 2]))
        query, key, value = qkv.unbind(2)
        query, key = self.q_norm(query.float()), self.k_norm(key.float())
        if tables is not None:
            query, key = (rotate(x[:, :, None], tables)[:, :, 0] for x in (query, key))
        query = taken(query, rows).to(value.dtype)
        return self.proj(attend(query, key.to(value.dtype), value))


def taken(tokens: Tensor, rows: Tensor | None) -> Tensor:
    """Of tokens (B, N, ...) those at `rows` (B, R), or all of them."""
    if rows is None:
        return tokens
    return torch.take_along_dim(tokens, rows.reshape(*rows.shape, *[1] * (tokens.ndim - 2)), 1)


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
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


class GatedMlp(nn.Module):
    """SwiGLU: one half of the first layer's output is the gate of the other."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.w12 = nn.Linear(width, 2 * hidden)
        self.w3 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.w12(x).chunk(2, dim=-1)
        return self.w3(F.silu(gate) * value)


class LayerScale(nn.Module):
    """A factor for each channel of what a block adds to the stream."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, stream: Tensor, added: Tensor) -> Tensor:
        return torch.addcmul(stream, added.to(stream.dtype), self.gamma)


class Sum(nn.Module):
    """Adds what a block found to the stream as it is."""

    def forward(self, stream: Tensor, added: Tensor) -> Tensor:
        return stream + added


class Block(nn.Module):
    """Self-attention and MLP, each after a norm and added to the stream."""

    def __init__(self, size: BlockSize) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size.width, size.epsilon)
        self.attn = SelfAttention(size.width, size.heads, size.qk_norm)
        self.norm2 = nn.LayerNorm(size.width, size.epsilon)
        mlp = GatedMlp if size.gated else Mlp
        self.mlp = mlp(size.width, size.hidden)
        self.ls1 = LayerScale(size.width) if size.layer_scale else Sum()
        self.ls2 = LayerScale(size.width) if size.layer_scale else Sum()

    def forward(
        self, x: Tensor, tables: Tables | None = None, rows: Tensor | None = None
    ) -> Tensor:
        """Of tokens (B, N, width) all, or those at `rows` (B, R) alone, which look at all."""
        dtype = self.attn.qkv.weight.dtype
        x = self.ls1(taken(x, rows), self.attn(self.norm1(x).to(dtype), tables, rows))
        return self.ls2(x, self.mlp(self.norm2(x).to(dtype)))
