# SPDX-License-Identifier: Apache-2.0
"""If these fail, networks of the published sizes do not load whole, or give other numbers."""

from __future__ import annotations

import json
import re
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from available_memory import skip_below_need

from dens3r_ros.network import Network
from dens3r_ros.network.pairwise.keys import canonical, is_unused, own_name
from dens3r_ros.network.pairwise.published import describe_published

FIXTURES = Path(__file__).resolve().parents[4] / "shared" / "fixtures"
RECIPES = sorted(FIXTURES.glob("*_fullsize_recipe_*.npz"))
FIELDS = {
    "pts3d": "points",
    "pts3d_in_other_view": "points",
    "conf": "confidence",
    "desc": "descriptors",
    "desc_conf": "descriptor_confidence",
    "normal": "normals",
}


pytestmark = [
    pytest.mark.fullsize,
    pytest.mark.skipif(not RECIPES, reason=f"no full-size recipes in {FIXTURES}"),
]


def recipe_tensor(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """The random weights that the published network was run with."""
    generator = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    values = generator.standard_normal(shape).astype(np.float32)
    if name.endswith(".bias"):
        return np.float32(0.05) * values
    if len(shape) == 1:
        return np.float32(1) + np.float32(0.1) * values
    gain = 0.5 if re.fullmatch(r"downstream_head[12]\.proj\.weight", name) else 1
    return (gain * values / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def build(recipe: np.lib.npyio.NpzFile) -> Network:
    """The network with every parameter filled where it lies, so that memory holds it once."""
    config = json.loads(str(recipe["config_json"]))
    stored = json.loads(str(recipe["state_keys_json"]))
    shapes = {canonical(key): tuple(shape) for key, shape in stored.items()}
    with torch.device("meta"):
        network = Network(describe_published(config["model_kwargs"], shapes))
    network.to_empty(device="cpu").eval().requires_grad_(False)
    parameters = network.state_dict()
    for key, shape in shapes.items():
        if is_unused(key):
            continue
        override = f"sd_override/{key}"
        is_given = override in recipe.files
        values = recipe[override] if is_given else recipe_tensor(key, shape, config["weight_seed"])
        name = own_name(key)
        assert name is not None, key
        parameters.pop(name).copy_(torch.from_numpy(values))
    assert not parameters, "parameters that no published tensor fills"
    return network


def subsampled(value: torch.Tensor, how: str) -> torch.Tensor:
    if how.startswith("tok"):
        return value[:, :: int(how.removeprefix("tok::"))]
    if not how:
        return value
    start, step = map(int, how.split("::"))
    return value[:, start::step, start::step]


def assert_close(value: torch.Tensor, reference: np.ndarray, tolerance: float, name: str) -> None:
    expected = torch.from_numpy(reference)
    assert value.shape == expected.shape
    error = float((value - expected).abs().max() / expected.abs().max())
    assert error <= tolerance, f"{name}: {error:.2e}"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_full_size(path: Path, record_property: pytest.RecordProperty) -> None:
    skip_below_need()
    recipe = np.load(path)
    network = build(recipe)
    images = [
        (torch.from_numpy(recipe[f"img{view}_u8"]).permute(2, 0, 1)[None] / 255 - 0.5) / 0.5
        for view in (1, 2)
    ]
    start = time.perf_counter()
    with torch.inference_mode():
        tokens = [network.encode(image) for image in images]
        states = network.decode(*tokens, keep=range(network.description.decoder.depth + 1))
        prediction = network.predict(*states)
    seconds = time.perf_counter() - start
    record_property("seconds_for_a_pair", round(seconds, 2))
    print(f"{path.stem}: {seconds:.1f} s for a pair")
    for key in recipe.files:
        name, _, how = key.partition("@")
        kind, _, item = name.partition("/")
        if kind in ("out1", "out2"):
            value = getattr(prediction, f"{FIELDS[item]}_{' ab'[int(kind[3])]}")
            if item == "normal":
                value = value * torch.tensor([1.0, -1.0, 1.0])
            assert_close(
                subsampled(value, how), recipe[key], 1e-3 if item == "normal" else 1e-4, key
            )
        elif kind == "inter":
            layer = 0 if item.startswith("feat") else int(item.split("_")[1])
            state = states[int(re.sub(r"\D*(\d).*", r"\1", item)) - 1].layers[layer]
            assert_close(subsampled(state, how), recipe[key], 1e-4, key)
