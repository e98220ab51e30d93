# SPDX-License-Identifier: Apache-2.0
"""Writes a network as ONNX files: encoder, decoder, and each head by itself.

Encodings can so be kept, and nothing is computed that nobody reads. The batch is free; the image
size is fixed, which lets runtimes plan memory and TensorRT choose kernels.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from dens3r_ros.engines.fingerprint import fingerprint
from dens3r_ros.engines.onnx.manifest import ExportManifest, Part
from dens3r_ros.engines.precision import PRECISIONS
from dens3r_ros.network.backbone import States, Tokens
from dens3r_ros.network.network import Network

OPSET = 20
TOLERANCE = {"fp32": 1e-3, "fp16": 5e-2}
"""Largest difference from float32 PyTorch, relative to a map's largest value."""
Report = Callable[[str], None]


def export_network(
    network: Network,
    folder: Path,
    model: str,
    size: tuple[int, int] | None = None,
    precision: str = "fp32",
    report: Report = lambda line: None,
) -> ExportManifest:
    """Export to a folder that must not hold anything yet; it appears there only when complete.

    `size` is (height, width), the training size unless given. With fp16 the network's backbone is
    converted in place.
    """
    if precision not in TOLERANCE:
        raise ValueError(f"precision {precision!r} is none of {', '.join(TOLERANCE)}")
    size = _checked_size(network, size)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty; name a new folder, or empty this one")
    manifest = ExportManifest(
        model=model,
        weights=fingerprint(network),
        precision=precision,
        size=size,
        description=network.description.to_json(),
        parts={},
        torch=torch.__version__,
    )
    network.set_backbone_dtype(PRECISIONS[precision])
    work = folder.with_name(folder.name + ".part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for name, module, examples, outputs in _parts(network, size):
        report(f"exporting {name}")
        _export(module, examples, outputs, work / f"{name}.onnx")
        shapes = {key: tuple(example.shape[1:]) for key, example in examples.items()}
        manifest.parts[name] = Part(f"{name}.onnx", shapes, tuple(outputs))
    manifest.save(work)
    if folder.exists():
        folder.rmdir()
    os.replace(work, folder)
    return manifest


def record_errors(manifest: ExportManifest, folder: Path, errors: dict[str, float]) -> None:
    """Keep what a verification found beside the files."""
    replace(manifest, errors=errors).save(folder)


def _checked_size(network: Network, size: tuple[int, int] | None) -> tuple[int, int]:
    patch = network.info.patch
    width, height = network.info.training_size
    height, width = size or (height, width)
    if height % patch or width % patch or min(height, width) < patch:
        raise ValueError(f"size {width}x{height} is no multiple of the patch size, {patch}")
    return height, width


class _Encoder(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.encoder = network.encoder

    def forward(self, images: Tensor) -> Tensor:
        return self.encoder(images).data


class _Decoder(nn.Module):
    def __init__(self, network: Network, grid: tuple[int, int], layers: Sequence[int]) -> None:
        super().__init__()
        self.decoder, self.grid, self.layers = network.decoder, grid, layers

    def forward(self, tokens_a: Tensor, tokens_b: Tensor) -> tuple[Tensor, ...]:
        a, b = Tokens(tokens_a, self.grid), Tokens(tokens_b, self.grid)
        states = self.decoder(a, b, self.layers)
        return tuple(state.layers[layer] for state in states for layer in self.layers)


class _Head(nn.Module):
    def __init__(self, head: nn.Module, grid: tuple[int, int], layers: Sequence[int]) -> None:
        super().__init__()
        self.head, self.grid, self.layers = head, grid, layers

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        layers = dict(zip(self.layers, tensors, strict=True))
        maps = self.head(States(layers, self.grid))
        maps = maps if isinstance(maps, tuple) else (maps,)
        return tuple(one for one in maps if one is not None)


def _parts(
    network: Network, size: tuple[int, int]
) -> Iterator[tuple[str, nn.Module, dict[str, Tensor], list[str]]]:
    """Name, module, example inputs of a batch of two, and names of the outputs of every file."""
    description = network.description
    grid = size[0] // description.patch, size[1] // description.patch
    kept = description.kept_layers
    decoded = [layer for layer in kept if layer]
    tokens = {
        layer: torch.rand(2, grid[0] * grid[1], description.layer_width(layer)) for layer in kept
    }
    images = {"images": torch.rand(2, 3, *size) * 2 - 1}
    yield "encoder", _Encoder(network), images, ["tokens"]
    pair = {"tokens_a": tokens[0], "tokens_b": tokens[0].flip(0)}
    states = [f"{view}_{layer}" for view in "ab" for layer in decoded]
    yield "decoder", _Decoder(network, grid, decoded), pair, states
    layers = {f"layer_{layer}": tensor for layer, tensor in tokens.items()}
    for name, head, outputs in _heads(network):
        yield name, _Head(head, grid, kept), layers, outputs


def _heads(network: Network) -> Iterator[tuple[str, nn.Module, list[str]]]:
    description = network.description
    for view, head in network.points_heads.items():
        confident = description.confidence is not None
        yield f"points_{view}", head, ["points", *["confidence"] * confident]
    for view, head in network.descriptor_heads.items():
        assert description.descriptors is not None
        confident = description.descriptors.confidence is not None
        yield f"descriptors_{view}", head, ["descriptors", *["descriptor_confidence"] * confident]
    if network.normals_head is not None:
        yield "normals", network.normals_head, ["normals"]


def _export(module: nn.Module, examples: dict[str, Tensor], outputs: list[str], path: Path) -> None:
    batch = torch.export.Dim("batch", min=1, max=64)
    free = tuple({0: batch} for _ in examples)
    takes_any_number = isinstance(module, _Head)
    with _quietly(), torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            tuple(examples.values()),
            dynamo=True,
            input_names=list(examples),
            output_names=outputs,
            dynamic_shapes=(free,) if takes_any_number else free,
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    # One file cannot hold more than 2 GB.
    program.save(str(path), external_data=True)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """The exporter speaks of torchvision's operators and of its own deprecations."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)
