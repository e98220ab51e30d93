# SPDX-License-Identifier: Apache-2.0
"""If these fail, published weights give other numbers here than where they were trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from published_layout import DUST3R, MAST3R, save_official

from dens3r_ros.network import Network, load_network

FIXTURES = Path(__file__).resolve().parents[4] / "shared" / "fixtures"
NAMES = (
    "dust3r_linear_small",
    "dust3r_dpt_small",
    "mast3r_small",
    "dens3r_unify_small",
    "dens3r_normal_small",
)
FIELDS = {
    "pts3d": "points",
    "pts3d_in_other_view": "points",
    "conf": "confidence",
    "desc": "descriptors",
    "desc_conf": "descriptor_confidence",
    "normal": "normals",
}
TOLERANCE, NORMALS_TOLERANCE = 1e-4, 1e-3

pytestmark = pytest.mark.skipif(
    not FIXTURES.is_dir(), reason=f"no fixtures of published networks in {FIXTURES}"
)


class Fixture:
    """A published network with small random weights, and what it gave for some pairs."""

    def __init__(self, name: str, folder: Path) -> None:
        self.arrays = np.load(FIXTURES / f"{name}.npz")
        self.config = json.loads(str(self.arrays["config_json"]))
        arguments = {key: _tuples(value) for key, value in self.config["model_kwargs"].items()}
        tensors = {
            key.removeprefix("sd/"): torch.from_numpy(self.arrays[key])
            for key in self.arrays.files
            if key.startswith("sd/")
        }
        class_name = DUST3R if self.config["kind"] == "dust3r" else MAST3R
        path = save_official(folder / f"{name}.pth", class_name, arguments, tensors)
        self.network: Network = load_network(path)

    def image(self, case: str, view: int) -> torch.Tensor:
        """The network's input, native where the published one took portraits transposed."""
        pixels = torch.from_numpy(self.arrays[f"case/{case}/img{view}_u8"])
        image = (pixels.permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.5
        return image.transpose(2, 3).contiguous() if self.is_transposed(case, view) else image

    def is_transposed(self, case: str, view: int) -> bool:
        height, width = self.arrays[f"case/{case}/true_shape{view}"].ravel()
        return case.startswith("manyar") and height > width

    def reference(self, case: str, name: str) -> torch.Tensor:
        return torch.from_numpy(self.arrays[f"case/{case}/{name}"])

    def names(self, case: str, part: str) -> list[str]:
        start = f"case/{case}/"
        keys = (key.removeprefix(start) for key in self.arrays.files if key.startswith(start))
        return [key for key in keys if key.startswith(part)]


def _tuples(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


@pytest.fixture(scope="module")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Fixture]:
    made: dict[str, Fixture] = {}
    folder = tmp_path_factory.mktemp("weights")

    def make(name: str) -> Fixture:
        if name not in made:
            made[name] = Fixture(name, folder)
        return made[name]

    return make


def cases() -> list[tuple[str, str]]:
    if not FIXTURES.is_dir():
        return []
    configs = {name: np.load(FIXTURES / f"{name}.npz")["config_json"] for name in NAMES}
    return [(name, case) for name in NAMES for case in json.loads(str(configs[name]))["cases"]]


def cases_with_intermediates() -> list[tuple[str, str]]:
    stored = {name: np.load(FIXTURES / f"{name}.npz").files for name, _ in cases()}
    return [(name, case) for name, case in cases() if f"case/{case}/inter/feat1" in stored[name]]


def relative_error(value: torch.Tensor, reference: torch.Tensor) -> float:
    assert value.shape == reference.shape
    return float((value - reference).abs().max() / reference.abs().max())


@pytest.mark.parametrize(("name", "case"), cases())
def test_outputs(fixture: Callable[[str], Fixture], name: str, case: str) -> None:
    published = fixture(name)
    prediction = published.network(published.image(case, 1), published.image(case, 2))
    outputs = published.names(case, "out")
    assert outputs
    for output in outputs:
        view, kind = int(output[3]), output.split("/")[1]
        value = getattr(prediction, f"{FIELDS[kind]}_{' ab'[view]}")
        if kind == "normal":
            value = value * torch.tensor([1.0, -1.0, 1.0])
        if published.is_transposed(case, view):
            value = value.transpose(1, 2)
        error = relative_error(value, published.reference(case, output))
        assert error <= (NORMALS_TOLERANCE if kind == "normal" else TOLERANCE), output


@pytest.mark.parametrize(("name", "case"), cases())
def test_nothing_else_is_given(fixture: Callable[[str], Fixture], name: str, case: str) -> None:
    published = fixture(name)
    prediction = published.network(published.image(case, 1), published.image(case, 2))
    given = {key for key, value in vars(prediction).items() if value is not None}
    outputs = (output.split("/") for output in published.names(case, "out"))
    assert given == {f"{FIELDS[kind]}_{' ab'[int(view[3])]}" for view, kind in outputs}


@pytest.mark.parametrize(("name", "case"), cases_with_intermediates())
def test_intermediates(fixture: Callable[[str], Fixture], name: str, case: str) -> None:
    published = fixture(name)
    network = published.network
    tokens = [network.encode(published.image(case, view)) for view in (1, 2)]
    layers = range(network.description.decoder.depth + 1)
    states = network.decode(*tokens, keep=layers)
    for view in (1, 2):
        feature = published.reference(case, f"inter/feat{view}")
        assert relative_error(tokens[view - 1].data, feature) <= TOLERANCE
        assert relative_error(states[view - 1].layers[0], feature) <= TOLERANCE
        for layer in layers[1:]:
            expected = published.reference(case, f"inter/dec{view}_{layer}")
            assert relative_error(states[view - 1].layers[layer], expected) <= TOLERANCE, layer


def test_every_fixture_has_intermediates() -> None:
    assert {name for name, _ in cases_with_intermediates()} == set(NAMES)
