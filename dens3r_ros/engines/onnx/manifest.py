# SPDX-License-Identifier: Apache-2.0
"""What an exported network's folder holds, as its `export.json` tells."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from dens3r_ros.network.checkpoints.families import (
    AnyNetwork,
    family_of_description,
    family_of_kind,
)
from dens3r_ros.network.parts.described import from_values

MANIFEST = "export.json"
FORMAT = 1
PAIRWISE = "pairwise"


@dataclass(frozen=True)
class Part:
    """One ONNX file. Shapes are without the batch, which comes first and is free."""

    file: str
    inputs: dict[str, tuple[int, ...]]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class ExportManifest:
    """An exported network: `parts` are "encoder", "decoder" and heads such as "points_a", or
    "network" alone where it sees one image.

    `family` is "pairwise" or a kind of `network.checkpoints.families`, `tokens` the number of
    patches with which a MoGe looks. `size` is (height, width) in pixels; `errors` are the largest
    differences from PyTorch by map, relative to the map's largest value, where the export was
    verified.
    """

    model: str
    weights: str
    precision: str
    size: tuple[int, int]
    description: str
    parts: dict[str, Part]
    torch: str
    errors: dict[str, float] = field(default_factory=dict)
    family: str = PAIRWISE
    tokens: int = 0
    format: int = FORMAT

    def save(self, folder: Path) -> None:
        """Write it into the export's folder."""
        text = json.dumps(asdict(self), indent=2)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def kind_of(network: AnyNetwork) -> str:
    """Its family, as manifests call it."""
    family = family_of_description(network.description)
    return PAIRWISE if family is None else family.kind


def network_of(manifest: ExportManifest) -> AnyNetwork:
    """An exported network of another family than the pairwise one, without its weights."""
    family = family_of_kind(manifest.family)
    if family is None:
        raise ValueError(f"an export of a family not known here, {manifest.family!r}")
    description = from_values(family.description, json.loads(manifest.description))
    with torch.device("meta"):
        return family.network(description)


def load_export(folder: Path) -> ExportManifest:
    """Read an export's manifest; raises ValueError with a sentence where it is none."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ValueError(f"{folder} is not an exported network: it has no {MANIFEST}")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != FORMAT:
            raise ValueError(f"format {values['format']}, but this version reads {FORMAT}")
        values["parts"] = {name: _part(part) for name, part in values["parts"].items()}
        values["size"] = tuple(values["size"])
        manifest = ExportManifest(**values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read: {error}; export the network again") from error
    missing = [part.file for part in manifest.parts.values() if not (folder / part.file).is_file()]
    if missing:
        raise ValueError(f"{folder} lacks {', '.join(missing)}; export the network again")
    return manifest


def _part(values: dict) -> Part:  # type: ignore[type-arg]
    inputs = {name: tuple(shape) for name, shape in values["inputs"].items()}
    return Part(values["file"], inputs, tuple(values["outputs"]))
