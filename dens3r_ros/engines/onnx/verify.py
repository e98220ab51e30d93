# SPDX-License-Identifier: Apache-2.0
"""Compares an exported network, run by onnxruntime on the CPU, with PyTorch in float32."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from dens3r_ros.engines.onnx.engine import OnnxConfig, OnnxEngine
from dens3r_ros.engines.preprocess import normalise, prepare
from dens3r_ros.engines.protocol import Outputs
from dens3r_ros.frame import Frame
from dens3r_ros.network.network import Network


def differences(folder: Path, network: Network, seed: int = 0) -> dict[str, float]:
    """By map: the largest difference over two pairs, relative to the map's largest value.

    `network` is float32 and as it was loaded. Images are smooth random ones of the export's size.
    """
    engine = OnnxEngine(folder, OnnxConfig("cpu"))
    frames = [Frame(image, 0) for image in _images(engine.manifest.size, seed)]
    a, b, c = engine.encode(frames)
    found = engine.decode([(a, b), (b, c)], Outputs())
    pixels = np.stack([prepare(frame, engine.sizing).pixels for frame in frames])
    images = normalise(torch.from_numpy(pixels))
    with torch.inference_mode():
        expected = network(images[:2], images[1:])
    result: dict[str, float] = {}
    for name in (field.name for field in fields(expected)):
        reference, value = getattr(expected, name), getattr(found, name)
        if (reference is None) != (value is None):
            raise ValueError(f"the export {'has' if reference is None else 'lacks'} {name}")
        if reference is not None:
            result[name] = float((value - reference).abs().max() / reference.abs().max())
    return result


def _images(size: tuple[int, int], seed: int) -> list[np.ndarray]:
    """Three (H, W, 3) uint8 landscape or portrait images, as the export has it."""
    coarse = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 1)
    return list((smooth * 255).to(torch.uint8).permute(0, 2, 3, 1).numpy())
