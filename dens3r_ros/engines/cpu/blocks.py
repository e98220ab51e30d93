# SPDX-License-Identifier: Apache-2.0
"""Transformer blocks for inference on a CPU, where going through memory costs as much as products.

Queries, keys and values are brought head by head into memory of their own, which the attention
reads faster, by the one copy that their norms need anyway. Channels that rotate together lie side
by side, so that a rotation is one complex product. The scales of layers are in their weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.parts.blocks import Block, GatedMlp, LayerScale, taken
from dens3r_ros.network.parts.rope import Tables


class FusedBlock(nn.Module):
    """What a `Block` computes, from its layers, which it takes over."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        attention = block.attn
        self.heads = attention.heads
        order = _pairs_side_by_side(attention.proj.in_features // self.heads)
        self.norm1, self.norm2 = block.norm1, block.norm2
        self.qkv = _queries_and_keys_in(order, attention.qkv, self.heads)
        self.qk_norm = attention.qk_norm
        self.mlp: nn.Module = block.mlp
        if self.qk_norm:
            self.q_norm = _norm_in(order, attention.q_norm)
            self.k_norm = _norm_in(order, attention.k_norm)
        self.proj = _scaled(attention.proj, block.ls1)
        last = "w3" if isinstance(block.mlp, GatedMlp) else "fc2"
        setattr(self.mlp, last, _scaled(getattr(self.mlp, last), block.ls2))

    def forward(
        self, x: Tensor, tables: Tables | None = None, rows: Tensor | None = None
    ) -> Tensor:
        dtype = self.qkv.weight.dtype if hasattr(self.qkv, "weight") else torch.float32
        found = self._attention(self.norm1(x).to(dtype), tables, rows).to(x.dtype)
        x = found.add_(taken(x, rows))
        return self.mlp(self.norm2(x).to(dtype)).to(x.dtype).add_(x)

    def _attention(self, x: Tensor, tables: Tables | None, rows: Tensor | None) -> Tensor:
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).contiguous()
        query, key, value = qkv.unbind(0)
        if self.qk_norm:
            query, key = self.q_norm(query.float()), self.k_norm(key.float())
        if tables is not None:
            turns = _turns(tables)
            query, key = (_turned(stream.float(), turns) for stream in (query, key))
        if rows is not None:
            query = query.take_along_dim(rows[:, None, :, None], 2)
        query, key = query.to(value.dtype), key.to(value.dtype)
        seen = F.scaled_dot_product_attention(query, key, value)
        return self.proj(seen.transpose(1, 2).flatten(2))


def fuse_blocks(module: nn.Module) -> None:
    """Put fused blocks in the places of a network's own; in place, for inference only."""
    for name, child in module.named_children():
        if type(child) is Block and child.attn.proj.in_features // child.attn.heads % 4 == 0:
            setattr(module, name, FusedBlock(child))
        else:
            fuse_blocks(child)


def _turns(tables: Tables) -> Tensor:
    """(N, head_dim / 2) complex, from the tables that `rope.rotate` takes."""
    quarters = [table[:, 0, 0].unflatten(-1, (2, 2, -1)) for table in tables]
    return torch.complex(quarters[0][:, :, 0], quarters[1][:, :, 1]).flatten(1)


def _turned(x: Tensor, turns: Tensor) -> Tensor:
    """(B, heads, N, head_dim) float32, turned in place."""
    torch.view_as_complex(x.unflatten(-1, (-1, 2))).mul_(turns)
    return x


def _pairs_side_by_side(head_dim: int) -> Tensor:
    """For every channel of a head where it is taken from."""
    return torch.arange(head_dim).view(2, 2, -1).transpose(1, 2).flatten()


def _queries_and_keys_in(order: Tensor, qkv: nn.Linear, heads: int) -> nn.Linear:
    rows = torch.arange(qkv.out_features).view(3, heads, -1)
    rows[:2] = rows[:2, :, order]
    return _linear(qkv.weight[rows.flatten()], qkv.bias[rows.flatten()])


def _norm_in(order: Tensor, norm: nn.LayerNorm) -> nn.LayerNorm:
    made = nn.LayerNorm(norm.normalized_shape, norm.eps)
    made.weight, made.bias = (_kept(values[order]) for values in (norm.weight, norm.bias))
    return made


def _scaled(linear: nn.Linear, scale: nn.Module) -> nn.Linear:
    if not isinstance(scale, LayerScale):
        return linear
    return _linear(linear.weight * scale.gamma[:, None], linear.bias * scale.gamma)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    made.weight, made.bias = _kept(weight), _kept(bias)
    return made


def _kept(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values.detach(), requires_grad=False)
