# SPDX-License-Identifier: Apache-2.0
"""Names of tensors in published checkpoints, and ours for the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dens3r_ros.network.parts.dpt_keys import own_fusion_name

_PREFIXES = {
    "patch_embed.proj.": "encoder.patch_embed.",
    "enc_blocks.": "encoder.blocks.",
    "enc_norm.": "encoder.norm.",
    "decoder_embed.": "decoder.embed.",
    "dec_blocks.": "decoder.blocks_a.",
    "dec_blocks2.": "decoder.blocks_b.",
    "dec_norm.": "decoder.norm.",
    "downstream_head1.head_local_features.": "descriptor_heads.a.mlp.",
    "downstream_head2.head_local_features.": "descriptor_heads.b.mlp.",
    "downstream_head1.dpt.": "points_heads.a.raw.",
    "downstream_head2.dpt.": "points_heads.b.raw.",
    "downstream_head1.proj.": "points_heads.a.raw.proj.",
    "downstream_head2.proj.": "points_heads.b.raw.proj.",
    "ptsmatch_local_head.head_local_features.": "descriptor_heads.a.mlp.",
    "ptsmatch_global_head.head_local_features.": "descriptor_heads.b.mlp.",
    "ptsmatch_local_head.dpt.": "points_heads.a.raw.",
    "ptsmatch_global_head.dpt.": "points_heads.b.raw.",
    "normal_local_head.dpt.": "normals_head.raw.",
}

_DPT_PREFIXES = {
    "act_postprocess.": "resample.",
    "head.0.": "reduce.",
    "head.2.": "refine.",
    "head.4.": "out.",
}

_UNUSED = re.compile(r"mask_token$|.*\.scratch\.refinenet4\.resConfUnit1\.")


def canonical(key: str) -> str:
    """The one name of a tensor that checkpoints may hold under two."""
    return re.sub(
        r"\.scratch\.layer_rn\.(\d)\.",
        lambda match: f".scratch.layer{int(match[1]) + 1}_rn.",
        key.removeprefix("module."),
    )


def is_unused(key: str) -> bool:
    """Whether published networks carry this tensor without using it."""
    return _UNUSED.match(key) is not None


def own_name(key: str) -> str | None:
    """Our name for the tensor that published networks call `key`; None if it is unknown."""
    for theirs, ours in _PREFIXES.items():
        if key.startswith(theirs):
            rest = key[len(theirs) :]
            return ours + (own_dpt_name(rest) if theirs.endswith(".dpt.") else rest)
    return None


def own_dpt_name(rest: str, parts: Mapping[str, str] = _DPT_PREFIXES) -> str:
    """Our name within a dense head; `parts` are the beginnings of names that differ."""
    for theirs, ours in parts.items():
        if rest.startswith(theirs):
            return ours + rest[len(theirs) :]
    return own_fusion_name(rest)
