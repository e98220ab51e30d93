# SPDX-License-Identifier: Apache-2.0
"""A descendant of the pairwise family with the weights of a file, or those of its recipe."""

from __future__ import annotations

from typing import Any, TypeVar

from torch import nn

from dens3r_ros.evaluation.parity.fixture import Fixture
from dens3r_ros.evaluation.parity.recipe import dust3r_recipe, recipe_weights
from dens3r_ros.network.checkpoints.layout import Layout, network_of

AnyNetwork = TypeVar("AnyNetwork", bound=nn.Module)


def loaded(fixture: Fixture, layout: Layout, kind: type[AnyNetwork], **more: Any) -> AnyNetwork:
    """The network of the file; `more` arguments stand beside those that the file tells."""
    config = fixture.config
    if fixture.under("sd/"):
        weights = fixture.weights()
    else:
        weights = recipe_weights(fixture, fixture.shapes(), int(config["seed"]), dust3r_recipe)
    arguments = dict(config.get("kw") or config.get("dims") or {}) | more
    network = network_of(layout, arguments, weights, str(fixture.path))
    assert isinstance(network, kind)
    return network
