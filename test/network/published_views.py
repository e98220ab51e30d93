# SPDX-License-Identifier: Apache-2.0
"""Fixtures of published networks that begin with DINOv2: what they hold, as tests need it."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dens3r_ros.network import build_network

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "multiview"
ABSENT = f"no fixtures of published networks in {FIXTURES}"


class Published:
    """A published network with random weights, and what it gave for some images."""

    def __init__(self, name: str) -> None:
        self.arrays, self.config = arrays_of(name)
        self.network = build_network(self._tensors(), self.config, name)

    def _tensors(self) -> dict[str, torch.Tensor]:
        if "recipe" in self.config["kind"]:
            return self._by_recipe()
        return {
            key.removeprefix("sd/"): torch.from_numpy(self.arrays[key])
            for key in self.arrays.files
            if key.startswith("sd/")
        }

    def _by_recipe(self) -> dict[str, torch.Tensor]:
        model = self.config["model"].replace("-", "_")
        stored = state_keys(model)
        tensors = {}
        for key, shape in stored["keys"].items():
            if key in stored["alias_keys"]:
                continue
            override = f"sd_override/{key}"
            if override in self.arrays.files:
                tensors[key] = torch.from_numpy(self.arrays[override])
            else:
                tensors[key] = torch.from_numpy(recipe_tensor(key, shape, self.config["seed"]))
        return tensors

    def images(self, case: str) -> torch.Tensor:
        """(1, S, 3, H, W) in [0, 1]."""
        pixels = torch.from_numpy(self.arrays[f"case/{case}/img_u8"])
        return pixels.permute(0, 3, 1, 2)[None].float() / 255

    def array(self, key: str) -> torch.Tensor:
        return torch.from_numpy(self.arrays[key])

    def references(self, case: str, part: str = "out") -> dict[str, tuple[torch.Tensor, str]]:
        """By name: what the published network gave, and how it was thinned out ("::2")."""
        start = f"case/{case}/{part}/"
        found = {}
        for key in self.arrays.files:
            if key.startswith(start):
                name, _, how = key.removeprefix(start).partition("@")
                found[name] = self.array(key), how
        return found


def arrays_of(name: str) -> tuple[np.lib.npyio.NpzFile, dict[str, Any]]:
    """What a file holds, and the facts about it."""
    arrays = np.load(FIXTURES / f"{name}.npz")
    return arrays, json.loads(str(arrays["config_json"]))


def cases_of(*names: str) -> list[tuple[str, str]]:
    """Every case of these files, with the file's name; none where they are absent."""
    found = [name for name in names if FIXTURES.is_dir()]
    return [(name, case) for name in found for case in arrays_of(name)[1]["cases"]]


def state_keys(model: str) -> dict[str, Any]:
    """Every tensor of a published checkpoint, with its shape, and which are aliases."""
    return json.loads((FIXTURES / "state_keys" / f"{model}.json").read_text())


def recipe_tensor(key: str, shape: list[int], seed: int) -> np.ndarray:
    """The random weights that a published network of full size was run with."""
    generator = np.random.RandomState((zlib.crc32(key.encode()) + seed) % 2**32)
    z = generator.standard_normal(shape).astype(np.float32)
    last = key.rpartition(".")[2]
    if last.endswith(("_token", "_tokens", "pos_embed")):
        return np.float32(0.5) * z
    if last == "gamma":
        return np.float32(0.3) + np.float32(0.1) * z
    if last == "bias":
        return np.float32(0.05) * z
    if len(shape) == 1:
        return np.float32(1) + np.float32(0.1) * z
    is_transposed = "resize_layers.0." in key or "resize_layers.1." in key
    fan = shape[0] if is_transposed else np.prod(shape[1:])
    return z / np.float32(np.sqrt(fan))


def thinned(value: torch.Tensor, how: str) -> torch.Tensor:
    """As the fixture stored it."""
    if how.startswith("tok"):
        return value[:, :: int(how.removeprefix("tok::"))]
    step = int(how.removeprefix("::")) if how else 1
    return value[:, ::step, ::step] if step > 1 else value


def error(value: torch.Tensor, reference: torch.Tensor) -> float:
    """The largest difference, as a share of the largest value of the reference."""
    assert value.shape == reference.shape, (value.shape, reference.shape)
    return float((value - reference).abs().max() / reference.abs().max())
