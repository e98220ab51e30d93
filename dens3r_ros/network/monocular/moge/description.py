# SPDX-License-Identifier: Apache-2.0
"""What a MoGe is made of: sizes read from its tensors, the rest from its `model_config`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dens3r_ros.network.parts.dinov2 import DinoSize
from dens3r_ros.network.parts.dinov2_keys import describe_dino

Remap = Literal["exp", "linear", "sinh", "sinh_exp"]
Shapes = Mapping[str, tuple[int, ...]]

REMAPS: tuple[Remap, ...] = ("exp", "linear", "sinh", "sinh_exp")
_HEADS = {"vits14": 6, "vitb14": 12, "vitl14": 16, "vitg14": 24}
_PIXELS_OF_TOKEN = 14 * 14
_RESAMPLERS = ("conv_transpose", "bilinear")
LICENCE = "MIT: any use, with the licence's text"


@dataclass(frozen=True)
class StackSize:
    """Channels of a pyramid of convolutions, level by level, coarse first.

    inputs      what comes in from outside
    widths      inside
    hidden      inside the residual blocks of a level
    blocks      residual blocks of a level
    outputs     what goes out; None where it is what is inside
    transposed  whether the step to the next level is a transposed convolution, or bilinear
    """

    inputs: tuple[int, ...]
    widths: tuple[int, ...]
    hidden: tuple[int, ...]
    blocks: tuple[int, ...]
    outputs: tuple[int | None, ...]
    transposed: tuple[bool, ...]


@dataclass(frozen=True)
class MogeCommon:
    """What both generations have, the names of whose parameters are the published ones.

    hooks       blocks of the encoder whose tokens are read
    projected   channels to which they are brought before they are added up
    tokens      fewest and most patches to which an image is resized
    """

    encoder: DinoSize
    hooks: tuple[int, ...]
    projected: int
    remap: Remap
    tokens: tuple[int, int]
    licence: str = LICENCE


@dataclass(frozen=True)
class Moge1Description(MogeCommon):
    """The first generation: points up to scale, and a mask."""

    widths: tuple[int, ...] = ()
    hidden: tuple[int, ...] = ()
    blocks: tuple[int, ...] = ()
    last_width: int = 32
    last_kernel: int = 1


@dataclass(frozen=True, kw_only=True)
class Moge2Description(MogeCommon):
    """The second generation: points in metres, a mask, normals with some."""

    neck: StackSize
    points_head: StackSize
    mask_head: StackSize
    normal_head: StackSize | None
    scale: tuple[int, ...]
    """Widths of the MLP that gives the metres, its input first; empty where there is none."""


def describe_moge1(config: Mapping[str, Any], shapes: Shapes) -> Moge1Description:
    """The description of a MoGe-1; raises ValueError where it is of a kind unknown here."""
    if "head.output_block.1.0.weight" not in shapes:
        raise ValueError("a MoGe without a mask of its own")
    norm = config.get("res_block_norm", "group_norm")
    if norm != "group_norm":
        raise ValueError(f"res_block_norm {norm!r} instead of 'group_norm'")
    size = _encoder("backbone", str(config.get("encoder", "")), shapes, config)
    levels = range(_count("head.upsample_blocks", shapes))
    up = [f"head.upsample_blocks.{level}" for level in levels]
    return Moge1Description(
        encoder=size,
        hooks=_hooks(config.get("intermediate_layers"), size.depth),
        projected=shapes["head.projects.0.weight"][0],
        remap=_remap(config),
        tokens=_tokens(config),
        widths=tuple(shapes[f"{prefix}.0.0.weight"][1] for prefix in up),
        hidden=tuple(_hidden(f"{prefix}.1", shapes) for prefix in up),
        blocks=tuple(_count(prefix, shapes) - 1 for prefix in up),
        last_width=shapes["head.output_block.0.0.weight"][0],
        last_kernel=shapes["head.output_block.0.2.weight"][-1],
    )


def describe_moge2(config: Mapping[str, Any], shapes: Shapes) -> Moge2Description:
    """The description of a MoGe-2; raises ValueError where it is of a kind unknown here."""
    encoder = config.get("encoder", {})
    has_normals = "normal_head.input_blocks.0.weight" in shapes
    size = _encoder("encoder.backbone", str(encoder.get("backbone", "")), shapes, config)
    for part in ("neck", "points_head", "mask_head", "normal_head"):
        _check_kinds(part, config.get(part) or {})
    if "mask_head.input_blocks.0.weight" not in shapes:
        raise ValueError("a MoGe without a mask of its own")
    return Moge2Description(
        encoder=size,
        hooks=_hooks(encoder.get("intermediate_layers"), size.depth),
        projected=shapes["encoder.output_projections.0.weight"][0],
        remap=_remap(config),
        tokens=_tokens(config),
        neck=_stack("neck", shapes),
        points_head=_stack("points_head", shapes),
        mask_head=_stack("mask_head", shapes),
        normal_head=_stack("normal_head", shapes) if has_normals else None,
        scale=_mlp("scale_head", shapes),
    )


def _encoder(prefix: str, name: str, shapes: Shapes, config: Mapping[str, Any]) -> DinoSize:
    """Encoders that have no published name tell their heads as `enc_num_heads`."""
    heads = _HEADS.get(name.rpartition("_")[2]) or config.get("enc_num_heads")
    return describe_dino(f"{prefix}.", shapes, heads=heads)


def _hooks(layers: Any, depth: int) -> tuple[int, ...]:
    """A number means so many last blocks."""
    if layers is None:
        raise ValueError("no intermediate_layers in model_config, which tensors do not tell")
    hooks = range(depth - layers, depth) if isinstance(layers, int) else layers
    hooks = tuple(int(hook) for hook in hooks)
    if not hooks or min(hooks) < 0 or max(hooks) >= depth:
        raise ValueError(f"intermediate_layers {layers} of an encoder of {depth} blocks")
    return hooks


def _remap(config: Mapping[str, Any]) -> Remap:
    name = config.get("remap_output", "linear")
    for known in REMAPS:
        if name == known:
            return known
    raise ValueError(f"remap_output {name!r} instead of one of {', '.join(REMAPS)}")


def _tokens(config: Mapping[str, Any]) -> tuple[int, int]:
    """Older files tell areas in pixels instead of numbers of patches."""
    if "num_tokens_range" in config:
        least, most = config["num_tokens_range"]
    else:
        areas = config.get("trained_area_range", (250_000, 500_000))
        least, most = (int(area) // _PIXELS_OF_TOKEN for area in areas)
    return int(least), int(most)


def _check_kinds(part: str, config: Mapping[str, Any]) -> None:
    """ValueError for what tensors do not tell and is not computed here."""
    for key in ("res_block_in_norm", "res_block_hidden_norm"):
        if config.get(key, "none") != "none":
            raise ValueError(f"{part}.{key} {config[key]!r} instead of 'none'")
    resamplers = config.get("resamplers", ())
    for kind in [resamplers] if isinstance(resamplers, str) else resamplers:
        if kind not in _RESAMPLERS:
            known = " or ".join(_RESAMPLERS)
            raise ValueError(f"{part}.resamplers {kind!r} instead of {known}")


def _stack(part: str, shapes: Shapes) -> StackSize:
    levels = range(_count(f"{part}.input_blocks", shapes))
    entry = [shapes[f"{part}.input_blocks.{level}.weight"] for level in levels]
    outputs = [shapes.get(f"{part}.output_blocks.{level}.weight", (None,))[0] for level in levels]
    return StackSize(
        inputs=tuple(shape[1] for shape in entry),
        widths=tuple(shape[0] for shape in entry),
        hidden=tuple(_hidden(f"{part}.res_blocks.{level}.0", shapes) for level in levels),
        blocks=tuple(_count(f"{part}.res_blocks.{level}", shapes) for level in levels),
        outputs=tuple(outputs),
        transposed=tuple(f"{part}.resamplers.{n}.0.weight" in shapes for n in levels[:-1]),
    )


def _hidden(prefix: str, shapes: Shapes) -> int:
    return shapes.get(f"{prefix}.layers.2.weight", (0,))[0]


def _mlp(part: str, shapes: Shapes) -> tuple[int, ...]:
    layers = sorted(
        (int(key.split(".")[1]), shape)
        for key, shape in shapes.items()
        if key.startswith(f"{part}.") and key.endswith(".weight")
    )
    return (layers[0][1][1], *(shape[0] for _, shape in layers)) if layers else ()


def _count(prefix: str, shapes: Shapes) -> int:
    start = f"{prefix}."
    found = {key[len(start) :].partition(".")[0] for key in shapes if key.startswith(start)}
    return len(found)
