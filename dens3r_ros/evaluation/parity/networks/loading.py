# SPDX-License-Identifier: Apache-2.0
"""A network that is known by its tensors, with the weights of a file or those of its recipe."""

from __future__ import annotations

from typing import Any, TypeVar

from torch import nn

from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.evaluation.parity.recipe import (
    dust3r_recipe,
    key_table,
    multiview_recipe,
    recipe_weights,
)
from dens3r_ros.network import build_network
from dens3r_ros.network.checkpoints.families import family_of

AnyNetwork = TypeVar("AnyNetwork", bound=nn.Module)


def kind_of_weights(fixture: Fixture) -> str:
    """The kind of network whose weights the file holds or names; empty where it is not known."""
    shapes = fixture.shapes()
    family = family_of(shapes) if shapes else None
    return "" if family is None else family.kind


def loaded(fixture: Fixture, kind: type[AnyNetwork], **more: Any) -> AnyNetwork:
    """The network of a file; `more` settings stand beside those that the file tells."""
    config = fixture.config
    if fixture.under("sd/"):
        weights = fixture.weights()
    else:
        weights = recipe_weights(fixture, fixture.shapes(), int(config["seed"]), dust3r_recipe)
    settings = dict(config.get("kw") or config.get("dims") or {}) | more
    return _of_kind(build_network(weights, settings, str(fixture.path)), kind)


def loaded_multiview(fixture: Fixture, kind: type[AnyNetwork], **more: Any) -> AnyNetwork:
    """The same for files whose recipe is that of the networks that begin with DINOv2."""
    config = fixture.config
    if fixture.under("sd/"):
        weights = fixture.weights()
    else:
        table = key_table(fixture.path)
        weights = recipe_weights(fixture, table, int(config["seed"]), multiview_recipe)
    return _of_kind(build_network(weights, config | more, str(fixture.path)), kind)


def _of_kind(network: nn.Module, kind: type[AnyNetwork]) -> AnyNetwork:
    if not isinstance(network, kind):
        raise ValueError(f"a {type(network).__name__} instead of a {kind.__name__}")
    return network
