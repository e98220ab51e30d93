# SPDX-License-Identifier: Apache-2.0
"""Runs an exported network of pairs with onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dens3r_ros.engines.onnx.manifest import ExportManifest, load_export
from dens3r_ros.engines.onnx.sessions import Arrays, OnnxConfig, Sessions
from dens3r_ros.engines.preprocess import Prepared, Sizing, normalise, prepare
from dens3r_ros.engines.protocol import EngineInfo, Features, Outputs
from dens3r_ros.engines.torch_engine import check_equal_sizes
from dens3r_ros.engines.wanted import VIEWS, restrict
from dens3r_ros.frame import Frame
from dens3r_ros.network.pairwise.description import NetworkDescription, outputs_of
from dens3r_ros.network.pairwise.portrait import turn_back
from dens3r_ros.network.prediction import PairPrediction


@dataclass(frozen=True, eq=False)
class OnnxEncoding:
    """A frame's tokens, (1, N, C)."""

    tokens: np.ndarray
    turned: bool


class OnnxEngine:
    """Encodes each frame once, decodes pairs in batches; heads load when first asked for."""

    def __init__(self, folder: Path, config: OnnxConfig | None = None) -> None:
        self.config = config or OnnxConfig()
        self.folder = folder
        self.manifest = load_export(folder)
        self.description = NetworkDescription.from_json(self.manifest.description)
        self.sizing = Sizing(
            patch=self.description.patch,
            turn_portrait=self.description.turn_portraits,
            fixed=self.manifest.size,
        )
        self.sessions = Sessions(folder, self.manifest, self.config)
        device = self.sessions.device("encoder", "decoder")
        self.info = _engine_info(self.manifest, self.description, device)

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """Encode frames in one batch; images of another shape than the export's are cut to it."""
        if not frames:
            return []
        prepared = [prepare(frame, self.sizing, self.config.exact) for frame in frames]
        tokens = self.sessions.run("encoder", {"images": _images(prepared)})["tokens"]
        return [
            Features(
                frame,
                item.placement,
                item.intrinsics,
                OnnxEncoding(tokens[n : n + 1].copy(), item.turned),
            )
            for n, (frame, item) in enumerate(zip(frames, prepared, strict=True))
        ]

    def decode(
        self, pairs: Sequence[tuple[Features, Features]], outputs: Outputs
    ) -> PairPrediction:
        """Predict pairs in one batch; only the wanted heads run."""
        check_equal_sizes(pairs)
        a, b = ([pair[side].data for pair in pairs] for side in (0, 1))
        tokens = {
            f"tokens_{view}": np.concatenate([one.tokens for one in encoded])
            for view, encoded in zip(VIEWS, (a, b), strict=True)
        }
        maps = self._maps(tokens, restrict(outputs, self._available()))
        prediction = PairPrediction(
            **{name: torch.from_numpy(array) for name, array in maps.items()}
        )
        return turn_back(prediction, a[0].turned, b[0].turned)

    def _available(self) -> Outputs:
        given = outputs_of(self.description)
        names = ("points", "normals", "descriptors")
        points, normals, descriptors = ("ab" if name in given else "" for name in names)
        return Outputs(points, normals, descriptors)

    def _maps(self, tokens: Arrays, outputs: Outputs) -> Arrays:
        states = self.sessions.run("decoder", tokens)
        maps: Arrays = {}
        for view in VIEWS:
            layers = {
                f"layer_{name.removeprefix(f'{view}_')}": state
                for name, state in states.items()
                if name.startswith(f"{view}_")
            }
            layers["layer_0"] = tokens[f"tokens_{view}"]
            for part in _heads(view, outputs):
                found = self.sessions.run(part, layers)
                maps.update({f"{name}_{view}": array for name, array in found.items()})
            if f"descriptors_{view}" in maps and f"confidence_{view}" in maps:
                # Descriptors without a confidence of their own share that of the points.
                maps.setdefault(f"descriptor_confidence_{view}", maps[f"confidence_{view}"])
        return maps


def _images(prepared: Sequence[Prepared]) -> np.ndarray:
    pixels = np.stack([item.pixels for item in prepared])
    return normalise(torch.from_numpy(pixels)).numpy()


def _heads(view: str, outputs: Outputs) -> list[str]:
    heads = {
        f"points_{view}": outputs.points,
        f"descriptors_{view}": outputs.descriptors,
        "normals": outputs.normals,
    }
    return [part for part, views in heads.items() if view in views]


def _engine_info(
    manifest: ExportManifest, description: NetworkDescription, device: str
) -> EngineInfo:
    given = outputs_of(description)
    return EngineInfo(
        name="onnx",
        model=manifest.model,
        model_hash=manifest.weights,
        patch=description.patch,
        image_size=max(manifest.size),
        metric=description.metric,
        monocular="points" in given,
        normals="normals" in given,
        descriptors="descriptors" in given,
        device=device,
        precision=manifest.precision,
    )
