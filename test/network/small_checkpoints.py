# SPDX-License-Identifier: Apache-2.0
"""Small random checkpoints in the layouts of Depth Anything 3 and VGGT, from their description."""

from __future__ import annotations

import torch

Shapes = dict[str, tuple[int, ...]]
Tensors = dict[str, torch.Tensor]

WIDTH, HEADS, FEATURES, LAYER_DIMS = 32, 2, 16, (8, 12, 16, 20)
DEPTH, START = 12, 3
"""Of the network for any number of views: its blocks, and the first that knows of others."""


def filled(shapes: Shapes, seed: int = 0) -> Tensors:
    """Random tensors that keep a signal alive."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for key, shape in shapes.items():
        values = torch.randn(shape, generator=generator)
        if len(shape) > 1 and "token" not in key and "pos_embed" not in key:
            values /= torch.Size(shape[1:]).numel() ** 0.5
        elif key.endswith(("weight", "gamma")):
            values = 1.0 + 0.1 * values
        tensors[key] = 0.3 * values if key.endswith("bias") else values
    return tensors


def any_view(camera_encoder: bool = True) -> Tensors:
    """Depth Anything 3 for any number of views, as its files are: prefixed, without aliases."""
    vit, head = "backbone.pretrained.", "head.scratch."
    shapes = {
        f"{vit}camera_token": (1, 2, WIDTH),
        **_vit(vit, DEPTH, START),
        **_dense("head.", 2 * WIDTH, 2, normed=True),
        **_refinenets("head.", "_aux"),
    }
    half = FEATURES // 2
    for level in range(4):
        widths = (FEATURES, half, FEATURES, half, FEATURES, half)
        for step in range(5):
            name = f"{head}output_conv1_aux.{level}.{step}"
            shapes |= _conv(name, widths[step], widths[step + 1], 3)
        shapes |= _conv(f"{head}output_conv2_aux.{level}.0", half, 32, 3)
        shapes |= _conv(f"{head}output_conv2_aux.{level}.5", 32, 7, 1)
    shapes |= _norm(f"{head}output_conv2_aux.0.2", 32)
    for layer in (0, 2):
        shapes |= _linear(f"cam_dec.backbone.{layer}", 2 * WIDTH, 2 * WIDTH)
    for name, count in (("fc_t", 3), ("fc_qvec", 4), ("fc_fov.0", 2)):
        shapes |= _linear(f"cam_dec.{name}", 2 * WIDTH, count)
    if camera_encoder:
        shapes |= _linear("cam_enc.pose_branch.fc1", 9, WIDTH // 2)
        shapes |= _linear("cam_enc.pose_branch.fc2", WIDTH // 2, WIDTH)
        shapes |= _norm("cam_enc.token_norm", WIDTH) | _norm("cam_enc.trunk_norm", WIDTH)
        shapes |= _block("cam_enc.trunk.0.", WIDTH)
    return {f"model.{key}": tensor for key, tensor in filled(shapes).items()}


def one_view() -> Tensors:
    """Depth Anything 3 for one image."""
    shapes = _vit("backbone.pretrained.", DEPTH) | _dense("head.", WIDTH, 1, normed=False)
    shapes |= _conv("head.scratch.sky_output_conv2.0", FEATURES // 2, 32, 3)
    shapes |= _conv("head.scratch.sky_output_conv2.2", 32, 1, 1)
    return {f"model.{key}": tensor for key, tensor in filled(shapes).items()}


def vggt() -> Tensors:
    """VGGT, as its files are, with something of the head for tracks."""
    start, camera, double = "aggregator.", "camera_head.", 2 * WIDTH
    shapes: Shapes = {
        f"{start}camera_token": (1, 2, 1, WIDTH),
        f"{start}register_token": (1, 2, 4, WIDTH),
        f"{start}patch_embed.register_tokens": (1, 4, WIDTH),
        f"{start}patch_embed.mask_token": (1, WIDTH),
        **_vit(f"{start}patch_embed.", 2),
        **_dense("depth_head.", double, 2, normed=True),
        **_dense("point_head.", double, 4, normed=True),
        f"{camera}empty_pose_tokens": (1, 1, 9),
        **_linear(f"{camera}embed_pose", 9, double),
        **_linear(f"{camera}poseLN_modulation.1", double, 3 * double),
        **_linear(f"{camera}pose_branch.fc1", double, WIDTH),
        **_linear(f"{camera}pose_branch.fc2", WIDTH, 9),
        **_norm(f"{camera}token_norm", double),
        **_norm(f"{camera}trunk_norm", double),
        **_block(f"{camera}trunk.0.", double),
        "track_head.tracker.query_ref_token": (1, 2, 8),
    }
    for index in range(4):
        for kind in ("frame", "global"):
            shapes |= _block(f"{start}{kind}_blocks.{index}.", WIDTH, normed=True)
    return filled(shapes)


def _vit(prefix: str, depth: int, normed_from: int | None = None) -> Shapes:
    shapes: Shapes = {
        f"{prefix}cls_token": (1, 1, WIDTH),
        f"{prefix}pos_embed": (1, 1370, WIDTH),
        **_conv(f"{prefix}patch_embed.proj", 3, WIDTH, 14),
        **_norm(f"{prefix}norm", WIDTH),
    }
    for index in range(depth):
        normed = normed_from is not None and index >= normed_from
        shapes |= _block(f"{prefix}blocks.{index}.", WIDTH, normed)
    return shapes


def _block(prefix: str, width: int, normed: bool = False) -> Shapes:
    shapes = {
        **_norm(f"{prefix}norm1", width),
        **_norm(f"{prefix}norm2", width),
        **_linear(f"{prefix}attn.qkv", width, 3 * width),
        **_linear(f"{prefix}attn.proj", width, width),
        **_linear(f"{prefix}mlp.fc1", width, 4 * width),
        **_linear(f"{prefix}mlp.fc2", 4 * width, width),
        f"{prefix}ls1.gamma": (width,),
        f"{prefix}ls2.gamma": (width,),
    }
    if normed:
        shapes |= _norm(f"{prefix}attn.q_norm", width // HEADS)
        shapes |= _norm(f"{prefix}attn.k_norm", width // HEADS)
    return shapes


def _dense(prefix: str, width: int, channels: int, normed: bool) -> Shapes:
    a, b, _, d = LAYER_DIMS
    half, scratch = FEATURES // 2, f"{prefix}scratch."
    shapes: Shapes = {
        f"{prefix}resize_layers.0.weight": (a, a, 4, 4),
        f"{prefix}resize_layers.0.bias": (a,),
        f"{prefix}resize_layers.1.weight": (b, b, 2, 2),
        f"{prefix}resize_layers.1.bias": (b,),
        **_conv(f"{prefix}resize_layers.3", d, d, 3),
        **_conv(f"{scratch}output_conv1", FEATURES, half, 3),
        **_conv(f"{scratch}output_conv2.0", half, 32, 3),
        **_conv(f"{scratch}output_conv2.2", 32, channels, 1),
        **_refinenets(prefix, ""),
    }
    for level, dim in enumerate(LAYER_DIMS):
        shapes |= _conv(f"{prefix}projects.{level}", width, dim, 1)
        shapes[f"{scratch}layer{level + 1}_rn.weight"] = (FEATURES, dim, 3, 3)
    return shapes | (_norm(f"{prefix}norm", width) if normed else {})


def _refinenets(prefix: str, suffix: str) -> Shapes:
    shapes: Shapes = {}
    for number in range(1, 5):
        start = f"{prefix}scratch.refinenet{number}{suffix}."
        shapes |= _conv(f"{start}out_conv", FEATURES, FEATURES, 1)
        for unit in (1, 2) if number < 4 else (2,):
            for conv in (1, 2):
                name = f"{start}resConfUnit{unit}.conv{conv}"
                shapes |= _conv(name, FEATURES, FEATURES, 3)
    return shapes


def _conv(name: str, width: int, out: int, side: int) -> Shapes:
    return {f"{name}.weight": (out, width, side, side), f"{name}.bias": (out,)}


def _linear(name: str, width: int, out: int) -> Shapes:
    return {f"{name}.weight": (out, width), f"{name}.bias": (out,)}


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
