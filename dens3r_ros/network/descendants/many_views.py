# SPDX-License-Identifier: Apache-2.0
"""The pairwise decoder with more than two views: each looks at all others at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dens3r_ros.network.pairwise.backbone import Decoder
from dens3r_ros.network.parts.rope import Tables


def step_views(
    decoder: Decoder,
    layer: int,
    streams: Sequence[Tensor],
    tables: Sequence[Tables],
    reference: int = 0,
) -> list[Tensor]:
    """Every view's stream (B, N, width) after one more block.

    The reference, in whose frame everything is, goes through the first decoder's block, all
    others through the second's. All read the streams as they came in.
    """
    if decoder.blocks_b is None:
        raise ValueError("a decoder of many views has blocks of its own for the reference")
    following = []
    for view, stream in enumerate(streams):
        blocks = decoder.blocks_a if view == reference else decoder.blocks_b
        others = [other for other in range(len(streams)) if other != view]
        seen = torch.cat([streams[other] for other in others], dim=1)
        seen_tables = joined([tables[other] for other in others])
        following.append(blocks[layer](stream, seen, tables[view], seen_tables))
    return following


def joined(tables: Sequence[Tables]) -> Tables:
    """Tables of several sequences of tokens, one after the other."""
    cosines, sines = zip(*tables, strict=True)
    return torch.cat(cosines), torch.cat(sines)
