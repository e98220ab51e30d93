# SPDX-License-Identifier: Apache-2.0
"""Writes a network as ONNX files: encoder, decoder, and each head by itself, or one for one image.

Encodings can so be kept, and nothing is computed that nobody reads. The batch is free, and so is
the number of views; the image size is fixed, which lets runtimes plan memory and TensorRT choose
kernels.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

from dens3r_ros.engines.fingerprint import fingerprint
from dens3r_ros.engines.onnx.manifest import ExportManifest, Part, kind_of
from dens3r_ros.engines.onnx.pair_parts import parts_of_pairs
from dens3r_ros.engines.onnx.part import PartToExport
from dens3r_ros.engines.onnx.single_parts import parts_of_single_images
from dens3r_ros.engines.onnx.view_parts import forget_positions, parts_of_views
from dens3r_ros.engines.precision import PRECISIONS
from dens3r_ros.engines.single_view import SingleViewNetwork
from dens3r_ros.engines.views.engine import ViewsNetwork
from dens3r_ros.network import Network
from dens3r_ros.network.checkpoints.families import AnyNetwork
from dens3r_ros.network.checkpoints.moge_families import Moge
from dens3r_ros.network.monocular.moge.raw import tokens_at
from dens3r_ros.network.parts.described import to_json

ExportableNetwork = Network | ViewsNetwork | SingleViewNetwork
FINEST = 9
OPSET = 20
TOLERANCE = {"fp32": 1e-3, "fp16": 5e-2}
"""Largest difference from float32 PyTorch, relative to a map's largest value."""
Report = Callable[[str], None]


def export_network(
    network: AnyNetwork,
    folder: Path,
    model: str,
    size: tuple[int, int] | None = None,
    precision: str = "fp32",
    report: Report = lambda line: None,
    level: int = FINEST,
) -> ExportManifest:
    """Export to a folder that must not hold anything yet; it appears there only when complete.

    `size` is (height, width), the training size unless given. With fp16 the network's backbone is
    converted in place. `level` is how finely a MoGe looks, 0 (fast) to 9.
    """
    if not isinstance(network, ExportableNetwork):
        raise ValueError(
            f"{model} is of the family {network.info.family}, which has no export; networks of"
            " pairs, Depth Anything 3, VGGT and MoGe have"
        )
    if precision not in TOLERANCE:
        raise ValueError(f"precision {precision!r} is none of {', '.join(TOLERANCE)}")
    size = _checked_size(network, size)
    tokens = tokens_at(level, network.description.tokens) if isinstance(network, Moge) else 0
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty; name a new folder, or empty this one")
    manifest = ExportManifest(
        model=model,
        weights=fingerprint(network),
        precision=precision,
        size=size,
        description=to_json(network.description),
        parts={},
        torch=torch.__version__,
        family=kind_of(network),
        tokens=tokens,
    )
    network.set_backbone_dtype(PRECISIONS[precision])
    work = folder.with_name(folder.name + ".part")
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True)
        for part in _parts(network, size, tokens):
            report(f"exporting {part.name}")
            _export(part, work / f"{part.name}.onnx")
            shapes = {key: tuple(example.shape[1:]) for key, example in part.examples.items()}
            manifest.parts[part.name] = Part(f"{part.name}.onnx", shapes, part.outputs)
        manifest.save(work)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    finally:
        forget_positions(network)
    if folder.exists():
        folder.rmdir()
    os.replace(work, folder)
    return manifest


def record_errors(manifest: ExportManifest, folder: Path, errors: dict[str, float]) -> None:
    """Keep what a verification found beside the files."""
    replace(manifest, errors=errors).save(folder)


def _checked_size(network: ExportableNetwork, size: tuple[int, int] | None) -> tuple[int, int]:
    patch = network.info.patch
    width, height = network.info.training_size
    height, width = size or (height, width)
    if height % patch or width % patch or min(height, width) < patch:
        raise ValueError(f"size {width}x{height} is no multiple of the patch size, {patch}")
    return height, width


def _parts(
    network: ExportableNetwork, size: tuple[int, int], tokens: int
) -> Iterator[PartToExport]:
    if isinstance(network, Network):
        return parts_of_pairs(network, size)
    if isinstance(network, ViewsNetwork):
        return parts_of_views(network, size)
    return parts_of_single_images(network, size, tokens)


def _export(part: PartToExport, path: Path) -> None:
    batch = torch.export.Dim("batch", min=1, max=64)
    free = tuple({0: batch} for _ in part.examples)
    with _quietly(), torch.no_grad():
        program = torch.onnx.export(
            part.module.eval(),
            tuple(part.examples.values()),
            dynamo=True,
            input_names=list(part.examples),
            output_names=list(part.outputs),
            dynamic_shapes=(free,) if part.listed else free,
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    _check_free(part.name, program)
    # One file cannot hold more than 2 GB.
    program.save(str(path), external_data=True)


def _check_free(name: str, program: torch.onnx.ONNXProgram) -> None:
    """The exporter may settle on the examples' own number of images without a word."""
    for given in program.model.graph.inputs:
        if given.shape is None or isinstance(given.shape[0], int):
            raise RuntimeError(f"the exporter fixed the number of images of {name}")


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
