# SPDX-License-Identifier: Apache-2.0
"""Random weights that files name instead of holding: the same numbers for everybody."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.network.pairwise.keys import canonical

Recipe = Callable[[str, tuple[int, ...], int], np.ndarray]

_TOKENS = {
    "cls_token",
    "camera_token",
    "register_tokens",
    "register_token",
    "pos_embed",
    "mask_token",
    "empty_pose_tokens",
}
_TRANSPOSED = re.compile(r"\.resize_layers\.[01]\.|\.resamplers\.[012]\.0\.")
_HALVED = re.compile(r"downstream_head[12]\.proj\.weight")


def recipe_weights(
    fixture: Fixture, shapes: Mapping[str, tuple[int, ...]], seed: int, recipe: Recipe
) -> dict[str, Tensor]:
    """Every weight by its published name: as the file overrides it, else by the recipe."""
    return {
        key: fixture.tensor(f"sd_override/{key}")
        if f"sd_override/{key}" in fixture.names
        else torch.from_numpy(recipe(key, tuple(shape), seed))
        for key, shape in shapes.items()
        if len(shape)
    }


def key_table(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights of a file `MODEL_fullsize_recipe_sSEED.npz`.

    They are in `state_keys/MODEL.json` beside it or above; tensors stored under a second name
    are left out, and so are mean and deviation of the images, which are no weights.
    """
    model = path.name.partition("_fullsize_recipe")[0]
    places = [folder / "state_keys" / f"{model}.json" for folder in path.absolute().parents]
    table = next((place for place in places if place.is_file()), None)
    if table is None:
        raise ValueError(f"its recipe needs {places[0]}, which is not there")
    content = json.loads(table.read_text())
    return {
        key: tuple(shape)
        for key, shape in content["keys"].items()
        if key not in content["alias_keys"] and not key.endswith(("image_mean", "image_std"))
    }


def dust3r_recipe(key: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Weights of the DUSt3R family and its descendants; a second name has those of the first."""
    key = canonical(key)
    values = _normal(key, shape, seed)
    if key == "mask_token":
        return np.float32(0.02) * values
    if key.endswith(".bias"):
        return np.float32(0.05) * values
    if len(shape) == 1:
        return np.float32(1) + np.float32(0.1) * values
    gain = 0.5 if _HALVED.fullmatch(key) else 1
    # The division is in float64 under NumPy 2, by whose rules the numbers were made.
    return (np.float64(gain) * values / np.float64(math.sqrt(math.prod(shape[1:])))).astype(
        np.float32
    )


def multiview_recipe(key: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Weights of Depth Anything 3, MoGe and VGGT."""
    values = _normal(key, shape, seed)
    last = key.rpartition(".")[2]
    if last in _TOKENS:
        return np.float32(0.5) * values
    if last == "gamma":
        return np.float32(0.3) + np.float32(0.1) * values
    if last == "bias":
        return np.float32(0.05) * values
    if len(shape) == 1:
        return np.float32(1) + np.float32(0.1) * values
    fan = shape[0] if _TRANSPOSED.search(key) else math.prod(shape[1:])
    return values / np.float32(math.sqrt(fan))


def _normal(key: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    generator = np.random.RandomState((zlib.crc32(key.encode()) + seed) % 2**32)
    return generator.standard_normal(shape).astype(np.float32)
