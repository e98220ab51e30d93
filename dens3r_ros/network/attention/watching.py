# SPDX-License-Identifier: Apache-2.0
"""Cross-attention of a pairwise decoder: how much each patch is looked at, and looking away.

What moves is looked at otherwise than what stands still, which Easi3R uses without any training.
Nothing of it is computed unless it is asked for here. The mean over all patches that look is
taken before the product with those that are looked at, so that no table of all against all is
made: a pair at 512x384 of a network of DUSt3R's size gives two maps of 0.44 MB, and takes as long
as without. Looking away costs the first view's cross-attention a second time, a tenth more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dens3r_ros.network.pairwise.backbone import Decoder, States, Tokens
from dens3r_ros.network.pairwise.blocks import CrossAttention
from dens3r_ros.network.pairwise.network import Network
from dens3r_ros.network.parts.blocks import attend
from dens3r_ros.network.parts.rope import Tables, rotate

Moving = tuple[Tensor, Tensor]
"""Masks (B, rows * columns) bool of both views' patches: what moves."""


@dataclass(frozen=True, eq=False)
class WatchedPair:
    """Both views' states, and how much their patches were looked at by the other view.

    of_a, of_b  (B, rows, columns, layers * heads) float32 mean over the other view's patches of
                what goes into the softmax; layer by layer, head by head
    """

    states: tuple[States, States]
    of_a: Tensor
    of_b: Tensor


def watched_decode(
    network: Network, a: Tokens, b: Tokens, moving: Moving | None = None
) -> WatchedPair:
    """`Network.decode`, noting cross-attention.

    With `moving` patches of a that stand still do not see those of b that move; what they do not
    see is left out, not shared among the rest.
    """
    decoder, kept = network.decoder, network.description.kept_layers
    blocks_b = decoder.blocks_a if decoder.blocks_b is None else decoder.blocks_b
    tables = decoder.rope(a.grid, a.data.device), decoder.rope(b.grid, b.data.device)
    x, y = decoder.embedded(a), decoder.embedded(b)
    layers: tuple[dict[int, Tensor], dict[int, Tensor]] = ({0: a.data}, {0: b.data})
    seen_a, seen_b = [], []
    for layer, (block_a, block_b) in enumerate(zip(decoder.blocks_a, blocks_b, strict=True), 1):
        (x, of_b), (y, of_a) = (
            _step(block_a, x, y, tables, moving),
            _step(block_b, y, x, (tables[1], tables[0]), None),
        )
        seen_a.append(of_a)
        seen_b.append(of_b)
        if layer in kept:
            layers[0][layer], layers[1][layer] = _kept(decoder, layer, x), _kept(decoder, layer, y)
    states = States(layers[0], a.grid), States(layers[1], b.grid)
    of_a, of_b = torch.cat(seen_a, dim=-1), torch.cat(seen_b, dim=-1)
    return WatchedPair(states, of_a.unflatten(1, a.grid), of_b.unflatten(1, b.grid))


def _kept(decoder: Decoder, layer: int, x: Tensor) -> Tensor:
    return decoder.norm(x) if layer == len(decoder.blocks_a) else x


def _step(
    block: Any, x: Tensor, other: Tensor, tables: tuple[Tables, Tables], moving: Moving | None
) -> tuple[Tensor, Tensor]:
    """The stream after a block, and (B, N, heads) how much the other's patches were looked at."""
    dtype = block.mlp.fc1.weight.dtype
    x = x + block.attn(block.norm1(x).to(dtype), tables[0])
    other = block.norm_y(other).to(dtype)
    added, seen = _looked(block.cross_attn, block.norm2(x).to(dtype), other, tables, moving)
    x = x + added
    return x + block.mlp(block.norm3(x).to(dtype)), seen


def _looked(
    cross: CrossAttention,
    x: Tensor,
    other: Tensor,
    tables: tuple[Tables, Tables],
    moving: Moving | None,
) -> tuple[Tensor, Tensor]:
    shape = (1, cross.heads, -1)
    query = rotate(cross.projq(x).unflatten(-1, shape), tables[0])[:, :, 0]
    key = rotate(cross.projk(other).unflatten(-1, shape), tables[1])[:, :, 0]
    value = cross.projv(other).unflatten(-1, (cross.heads, -1))
    found = attend(query, key, value)
    if moving is not None:
        of_still = attend(query, key, value.masked_fill(moving[1][..., None, None], 0.0))
        found = torch.where(moving[0][..., None], found, of_still)
    mean = query.float().mean(dim=1) / query.shape[-1] ** 0.5
    return cross.proj(found), torch.einsum("bhc,bnhc->bnh", mean, key.float())
