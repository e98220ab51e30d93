# SPDX-License-Identifier: Apache-2.0
"""Compares an exported network, run by onnxruntime on the CPU, with PyTorch in float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.engines.onnx.engine import OnnxEngine
from dens3r_ros.engines.onnx.manifest import load_export
from dens3r_ros.engines.onnx.sessions import OnnxConfig
from dens3r_ros.engines.onnx.single import ExportedSingleView
from dens3r_ros.engines.onnx.views import ExportedViews
from dens3r_ros.engines.preprocess import normalise, prepare
from dens3r_ros.engines.protocol import Outputs
from dens3r_ros.engines.single_view import SingleViewNetwork
from dens3r_ros.engines.views.engine import ViewsNetwork
from dens3r_ros.frame import Frame
from dens3r_ros.network.checkpoints.families import AnyNetwork
from dens3r_ros.network.monocular.depth_anything import DepthAnythingNetwork
from dens3r_ros.network.pairwise.network import Network

Maps = dict[str, Tensor | None]


def differences(folder: Path, network: AnyNetwork, seed: int = 0) -> dict[str, float]:
    """By map: the largest difference over a few images, relative to the map's largest value.

    `network` is float32 and as it was loaded. Images are smooth random ones of the export's size.
    """
    images = _images(load_export(folder).size, seed)
    if isinstance(network, Network):
        found, expected = _of_pairs(folder, network, images)
    elif isinstance(network, ViewsNetwork):
        found, expected = _of_views(folder, network, _scaled(images))
    elif isinstance(network, SingleViewNetwork):
        found, expected = _of_single_images(folder, network, _scaled(images))
    else:
        raise ValueError(f"networks of the family {network.info.family} have no export")
    result: dict[str, float] = {}
    for name, reference in expected.items():
        value = found[name]
        if (reference is None) != (value is None):
            raise ValueError(f"the export {'has' if reference is None else 'lacks'} {name}")
        if reference is not None and value is not None:
            result[name] = float((value - reference).abs().max() / reference.abs().max())
    return result


def _of_pairs(folder: Path, network: Network, images: Sequence[np.ndarray]) -> tuple[Maps, Maps]:
    engine = OnnxEngine(folder, OnnxConfig("cpu"))
    frames = [Frame(image, 0) for image in images]
    a, b, c = engine.encode(frames)
    pixels = np.stack([prepare(frame, engine.sizing).pixels for frame in frames])
    normalised = normalise(torch.from_numpy(pixels))
    with torch.inference_mode():
        expected = network(normalised[:2], normalised[1:])
    return _fields(engine.decode([(a, b), (b, c)], Outputs())), _fields(expected)


def _of_views(folder: Path, network: ViewsNetwork, images: Tensor) -> tuple[Maps, Maps]:
    """All images as one window: one more view than those with which the export was made."""
    exported = ExportedViews(folder, load_export(folder), OnnxConfig("cpu"))
    with torch.inference_mode():
        expected = network(images[None], ("depth", "cameras"))
        found = exported.decode([exported.encode(image[None]) for image in images])
    names = ("depth", "confidence", "T_world_camera", "intrinsics")
    return {n: getattr(found, n) for n in names}, {n: getattr(expected, n) for n in names}


def _of_single_images(
    folder: Path, network: SingleViewNetwork, images: Tensor
) -> tuple[Maps, Maps]:
    exported = ExportedSingleView(folder, load_export(folder), OnnxConfig("cpu"))
    with torch.inference_mode():
        if isinstance(network, DepthAnythingNetwork):
            return _fields(exported.depth(images)), _fields(network(images))
        tokens = exported.manifest.tokens
        return _fields(exported.points(images)), _fields(network(images, tokens))


def _fields(maps: Any) -> Maps:
    return {field.name: getattr(maps, field.name) for field in fields(maps)}


def _scaled(images: Sequence[np.ndarray]) -> Tensor:
    """(B, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div(255)


def _images(size: tuple[int, int], seed: int) -> list[np.ndarray]:
    """Three (H, W, 3) uint8 landscape or portrait images, as the export has it."""
    coarse = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 1)
    return list((smooth * 255).to(torch.uint8).permute(0, 2, 3, 1).numpy())
