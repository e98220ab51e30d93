# SPDX-License-Identifier: Apache-2.0
"""Small random checkpoints in the layout of the published ones, written from its description."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

Shapes = dict[str, tuple[int, ...]]

DUST3R = "AsymmetricCroCo3DStereo"
MAST3R = "AsymmetricMASt3R"
PATCH = 16
ENCODER, DECODER, DEPTH = 32, 24, 4

BACKBONE_ARGUMENTS: dict[str, Any] = {
    "pos_embed": "RoPE100",
    "patch_embed_cls": "ManyAR_PatchEmbed",
    "img_size": (512, 512),
    "depth_mode": ("exp", -float("inf"), float("inf")),
    "conf_mode": ("exp", 1, float("inf")),
    "enc_embed_dim": ENCODER,
    "enc_depth": 2,
    "enc_num_heads": 2,
    "dec_embed_dim": DECODER,
    "dec_depth": DEPTH,
    "dec_num_heads": 2,
}

DUST3R_LINEAR = {**BACKBONE_ARGUMENTS, "head_type": "linear", "output_mode": "pts3d"}
DUST3R_DPT = {**BACKBONE_ARGUMENTS, "head_type": "dpt", "output_mode": "pts3d"}
MAST3R_METRIC = {
    **BACKBONE_ARGUMENTS,
    "head_type": "catmlp+dpt",
    "output_mode": "pts3d+desc6",
    "two_confs": True,
    "desc_conf_mode": ("exp", 0, float("inf")),
}
DENS3R_UNIFY = {
    **BACKBONE_ARGUMENTS,
    "patch_embed_cls": "PatchEmbedDust3R",
    "head_type": "catmlp+dpt",
    "output_mode": "unify",
    "normal_mode": ("linear", -1, 1),
    "desc_conf": True,
    "desc_conf_mode": ("exp", 0, float("inf")),
    "symmetrize_dec": True,
}


def backbone_shapes(decoders: tuple[str, ...] = ("dec_blocks", "dec_blocks2")) -> Shapes:
    """Tensors of encoder and decoder."""
    shapes: Shapes = {
        "mask_token": (1, 1, DECODER),
        "patch_embed.proj.weight": (ENCODER, 3, PATCH, PATCH),
        "patch_embed.proj.bias": (ENCODER,),
        **_linear("decoder_embed", DECODER, ENCODER),
        **_norm("enc_norm", ENCODER),
        **_norm("dec_norm", DECODER),
    }
    for index in range(2):
        shapes |= _block(f"enc_blocks.{index}", ENCODER)
    for decoder in decoders:
        for index in range(DEPTH):
            prefix = f"{decoder}.{index}"
            shapes |= _block(prefix, DECODER) | _norm(f"{prefix}.norm3", DECODER)
            shapes |= _norm(f"{prefix}.norm_y", DECODER)
            for name in ("projq", "projk", "projv", "proj"):
                shapes |= _linear(f"{prefix}.cross_attn.{name}", DECODER, DECODER)
    return shapes


def linear_head_shapes(prefix: str) -> Shapes:
    """The linear head of a view."""
    return _linear(f"{prefix}.proj", 4 * PATCH**2, DECODER)


def dpt_head_shapes(prefix: str, channels: int = 4) -> Shapes:
    """A DPT head, with the tensors that are stored twice and the ones that are never used."""
    dims, features, half, last = (4, 6, 8, 10), 12, 6, 8
    prefix = f"{prefix}.dpt"
    shapes = _conv(f"{prefix}.head.0", half, features, 3) | _conv(f"{prefix}.head.2", last, half, 3)
    shapes |= _conv(f"{prefix}.head.4", channels, last, 1)
    for level, dim in enumerate(dims):
        shapes[f"{prefix}.scratch.layer{level + 1}_rn.weight"] = (features, dim, 3, 3)
        shapes[f"{prefix}.scratch.layer_rn.{level}.weight"] = (features, dim, 3, 3)
        width = ENCODER if level == 0 else DECODER
        shapes |= _conv(f"{prefix}.act_postprocess.{level}.0", dim, width, 1)
        fuse = f"{prefix}.scratch.refinenet{level + 1}"
        shapes |= _conv(f"{fuse}.out_conv", features, features, 1)
        for unit in ("resConfUnit1.conv1", "resConfUnit1.conv2"):
            shapes |= _conv(f"{fuse}.{unit}", features, features, 3)
            shapes |= _conv(f"{fuse}.{unit.replace('1.', '2.')}", features, features, 3)
    for level, kernel in ((0, 4), (1, 2), (3, 3)):
        shapes |= _conv(f"{prefix}.act_postprocess.{level}.1", dims[level], dims[level], kernel)
    return shapes


def descriptor_head_shapes(prefix: str, dim: int, hidden: int = 40) -> Shapes:
    """The descriptor MLP of a view, whose descriptors have a confidence of their own."""
    prefix = f"{prefix}.head_local_features"
    return _linear(f"{prefix}.fc1", hidden, ENCODER + DECODER) | _linear(
        f"{prefix}.fc2", (dim + 1) * PATCH**2, hidden
    )


def mast3r_shapes(dim: int = 6) -> Shapes:
    """All of a MASt3R."""
    shapes = backbone_shapes()
    for head in ("downstream_head1", "downstream_head2"):
        shapes |= dpt_head_shapes(head) | descriptor_head_shapes(head, dim)
    return shapes


def dust3r_linear_shapes() -> Shapes:
    """All of a DUSt3R with linear heads."""
    heads = linear_head_shapes("downstream_head1") | linear_head_shapes("downstream_head2")
    return backbone_shapes() | heads


def dens3r_shapes(decoders: tuple[str, ...] = ("dec_blocks",)) -> Shapes:
    """All of a Dens3R that gives everything."""
    shapes = backbone_shapes(decoders) | dpt_head_shapes("normal_local_head", 3)
    for head in ("ptsmatch_local_head", "ptsmatch_global_head"):
        shapes |= dpt_head_shapes(head) | descriptor_head_shapes(head, 5)
    return shapes


def random_tensors(shapes: Shapes, seed: int = 0) -> dict[str, torch.Tensor]:
    """Small random numbers; tensors stored twice are one and the same."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        name: 0.05 * torch.randn(shape, generator=generator) for name, shape in shapes.items()
    }
    for name in shapes:
        head, alias, rest = name.partition(".scratch.layer_rn.")
        if alias:
            level, kind = rest.split(".")
            tensors[name] = tensors[f"{head}.scratch.layer{int(level) + 1}_rn.{kind}"]
    return tensors


def constructor(name: str, arguments: dict[str, Any]) -> str:
    """The call as official checkpoints hold it."""
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def save_official(
    path: Path, name: str, arguments: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> Path:
    """Write a checkpoint as the published training code does."""
    args = argparse.Namespace(model=constructor(name, arguments), epochs=100)
    torch.save({"args": args, "model": tensors, "epoch": 3}, path)
    return path


def _linear(name: str, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _conv(name: str, out: int, into: int, kernel: int) -> Shapes:
    return {f"{name}.weight": (out, into, kernel, kernel), f"{name}.bias": (out,)}


def _block(prefix: str, width: int) -> Shapes:
    shapes = _norm(f"{prefix}.norm1", width) | _norm(f"{prefix}.norm2", width)
    shapes |= _linear(f"{prefix}.attn.qkv", 3 * width, width)
    shapes |= _linear(f"{prefix}.attn.proj", width, width)
    shapes |= _linear(f"{prefix}.mlp.fc1", 4 * width, width)
    return shapes | _linear(f"{prefix}.mlp.fc2", width, 4 * width)
