# SPDX-License-Identifier: Apache-2.0
"""DUSt3R, MASt3R and Dens3R: small with weights in the file, full-size by the recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dens3r_ros.evaluation.parity.comparison import Comparison, angular, not_compared, of_scale
from dens3r_ros.evaluation.parity.fixture import Fixture, images, subsampled
from dens3r_ros.evaluation.parity.recipe import dust3r_recipe, recipe_weights
from dens3r_ros.network import Network, PairPrediction
from dens3r_ros.network.checkpoints.load import build
from dens3r_ros.network.checkpoints.pairwise import read_published
from dens3r_ros.network.checkpoints.read import Weights
from dens3r_ros.network.pairwise.backbone import States

NAME = "pairwise network"
FIELDS = {
    "pts3d": "points",
    "pts3d_in_other_view": "points",
    "conf": "confidence",
    "desc": "descriptors",
    "desc_conf": "descriptor_confidence",
    "normal": "normals",
}


def recognises(fixture: Fixture) -> bool:
    """Whether the file holds a network of the family, by its constructor's arguments."""
    arguments = fixture.config.get("model_kwargs")
    return isinstance(arguments, dict) and "output_mode" in arguments


def compare(fixture: Fixture) -> Iterator[Comparison]:
    """Every output and intermediate of every case."""
    network = load(fixture)
    if fixture.under("case/"):
        for case in fixture.folders("case/"):
            yield from _compare_case(fixture, network, case, f"case/{case}/")
    else:
        yield from _compare_case(fixture, network, "", "")


def load(fixture: Fixture) -> Network:
    """The network with the file's weights, or those of its recipe."""
    arguments = {key: _tuples(value) for key, value in fixture.config["model_kwargs"].items()}
    if fixture.under("sd/"):
        weights = fixture.weights()
    else:
        seed = int(fixture.config["weight_seed"])
        weights = recipe_weights(fixture, fixture.shapes(), seed, dust3r_recipe)
    network = build(Weights(fixture.path, *read_published(fixture.path, arguments, weights)))
    assert isinstance(network, Network)
    return network


@dataclass(frozen=True, eq=False)
class _Run:
    """What our network made of a case's images."""

    prediction: PairPrediction
    states: tuple[States, States]
    transposed: tuple[bool, bool]


def _compare_case(
    fixture: Fixture, network: Network, case: str, start: str
) -> Iterator[Comparison]:
    run = _run(fixture, network, start)
    for name in fixture.under(start):
        output, _, how = name.partition("@")
        part = output.partition("/")[0]
        if part in ("out1", "out2"):
            yield _output(fixture, run, case, start + name, output, how)
        elif part == "inter" and "/pos" not in output:
            yield _intermediate(fixture, run, case, start + name, output, how)


def _run(fixture: Fixture, network: Network, start: str) -> _Run:
    transposed = (_is_transposed(fixture, start, 1), _is_transposed(fixture, start, 2))
    views = []
    for view, is_transposed in zip((1, 2), transposed, strict=True):
        image = images(fixture.array(f"{start}img{view}_u8")[None])
        views.append(image.transpose(2, 3).contiguous() if is_transposed else image)
    with torch.inference_mode():
        tokens = [network.encode(image) for image in views]
        layers = range(network.description.decoder.depth + 1)
        states = network.decode(tokens[0], tokens[1], keep=layers)
        return _Run(network.predict(*states), states, transposed)


def _is_transposed(fixture: Fixture, start: str, view: int) -> bool:
    """Whether the published network was given this image as landscape though it is portrait."""
    if f"{start}true_shape{view}" not in fixture.names:
        return False
    given = fixture.array(f"{start}img{view}_u8").shape[:2]
    return tuple(fixture.array(f"{start}true_shape{view}").ravel().tolist()) != given


def _output(fixture: Fixture, run: _Run, case: str, name: str, output: str, how: str) -> Comparison:
    part, _, kind = output.partition("/")
    view, published = int(part[-1]), fixture.array(name)
    value: Tensor | None = getattr(run.prediction, f"{FIELDS.get(kind, kind)}_{' ab'[view]}", None)
    if value is None:
        return not_compared(case, output, "our network gives no such output")
    if run.transposed[view - 1]:
        value = value.transpose(1, 2)
    value = subsampled(value, how)
    if kind == "normal":
        # Published normals have y up.
        return angular(case, output, value * value.new_tensor((1.0, -1.0, 1.0)), published)
    return of_scale(case, output, value, published)


def _intermediate(
    fixture: Fixture, run: _Run, case: str, name: str, output: str, how: str
) -> Comparison:
    found = re.fullmatch(r"inter/(?:feat([12])|dec([12])_(\d+))", output)
    if found is None:
        return not_compared(case, output, "an intermediate that is not known here")
    view, layer = int(found[1] or found[2]), int(found[3] or 0)
    value = run.states[view - 1].layers[layer]
    return of_scale(case, output, subsampled(value, how), fixture.array(name))


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
