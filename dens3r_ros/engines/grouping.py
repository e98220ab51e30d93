# SPDX-License-Identifier: Apache-2.0
"""Encoding frames of several sizes: those of equal sizes together, as much as memory holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch

from dens3r_ros.engines.memory import halving
from dens3r_ros.engines.preprocess import Prepared, Sizing, prepare
from dens3r_ros.engines.protocol import Features
from dens3r_ros.frame import Frame

Code = TypeVar("Code")


def encode_grouped(
    frames: Sequence[Frame],
    sizing: Sizing,
    exact: bool,
    encode: Callable[[Sequence[Prepared]], list[Code]],
    data: Callable[[Code, Prepared], object],
    device: torch.device,
) -> list[Features]:
    """Features in the order of the frames; `data` makes what they carry of an image's code."""
    prepared = [prepare(frame, sizing, exact) for frame in frames]
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, item in enumerate(prepared):
        groups.setdefault(item.pixels.shape, []).append(index)
    encoded: dict[int, Code] = {}
    for (height, width, _), members in groups.items():
        batch = [prepared[index] for index in members]
        what = f"images of {width}x{height}"
        codes = halving(encode, batch, list.__add__, what, device)
        encoded.update(zip(members, codes, strict=True))
    return [
        Features(frame, item.placement, item.intrinsics, data(encoded[index], item))
        for index, (frame, item) in enumerate(zip(frames, prepared, strict=True))
    ]


def on_device(prepared: Sequence[Prepared], device: torch.device) -> torch.Tensor:
    """(B, H, W, 3) uint8 pixels of images of one size."""
    pixels = torch.from_numpy(np.stack([item.pixels for item in prepared]))
    if device.type == "cuda":
        return pixels.pin_memory().to(device, non_blocking=True)
    return pixels
