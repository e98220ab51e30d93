# SPDX-License-Identifier: Apache-2.0
"""From what a person calls an exported network to what runs it."""

from __future__ import annotations

from pathlib import Path

from dens3r_ros.engines.onnx.engine import OnnxEngine
from dens3r_ros.engines.onnx.manifest import MANIFEST, PAIRWISE, load_export, network_of
from dens3r_ros.engines.onnx.sessions import OnnxConfig
from dens3r_ros.engines.onnx.single import OnnxSingleView
from dens3r_ros.engines.onnx.views import OnnxViewsEngine
from dens3r_ros.engines.single_view import SingleViewNetwork
from dens3r_ros.model_store.manifest import ModelError, resolve_model


def open_engine(
    model: str, device: str = "auto", precision: str = "auto", size: int = 0
) -> OnnxEngine | OnnxViewsEngine:
    """The engine of a network of pairs or of many views; ValueErrors with a sentence."""
    folder = _folder(model, precision, size)
    if exports_single_images(folder):
        raise ModelError(
            f"{model} sees one image and knows nothing of motion: run it beside geometry, by engine"
            " hybrid"
        )
    pairs = load_export(folder).family == PAIRWISE
    return (OnnxEngine if pairs else OnnxViewsEngine)(folder, OnnxConfig(device))


def open_single(
    model: str, device: str = "auto", precision: str = "auto", size: int = 0
) -> OnnxSingleView:
    """A network of single images; ValueErrors with a sentence."""
    return OnnxSingleView(_folder(model, precision, size), OnnxConfig(device))


def exports_single_images(folder: Path) -> bool:
    """Whether the exported network sees one image at a time; ValueError where it is unreadable."""
    manifest = load_export(folder)
    if manifest.family == PAIRWISE:
        return False
    return isinstance(network_of(manifest), SingleViewNetwork)


def _folder(model: str, precision: str, size: int) -> Path:
    folder = resolve_model(model)
    if not (folder / MANIFEST).is_file():
        raise ModelError(
            f"{folder} is not an exported network; make one with:"
            f" dens3r export --model {model} --out DIR"
        )
    if precision != "auto" or size:
        raise ValueError(
            "precision and image size of an exported network are fixed when it is exported:"
            " leave them at auto and 0, or export it again"
        )
    return folder
