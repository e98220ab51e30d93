# SPDX-License-Identifier: Apache-2.0
"""What a run minimises, around the network that it starts from."""

from __future__ import annotations

from dens3r_ros.network.multiview.any_view import AnyViewNetwork
from dens3r_ros.network.pairwise.network import Network
from dens3r_ros.training.config import TrainingConfig
from dens3r_ros.training.losses.objectives import CompletionObjective, PairObjective
from dens3r_ros.training.losses.views_losses import ViewsObjective
from dens3r_ros.training.starting import starting_network
from dens3r_ros.training.starting_views import starting_views_network

Objective = PairObjective | CompletionObjective | ViewsObjective


def starting_objective(config: TrainingConfig) -> Objective:
    """The objective that the configuration names."""
    if config.objective == "views":
        return ViewsObjective(starting_views_network(config), config)
    kind = PairObjective if config.objective == "pairs" else CompletionObjective
    return kind(starting_network(config), config)


def depths(network: Network | AnyViewNetwork) -> tuple[int, int]:
    """Layers of encoder and decoder; a network of many views has one stack, its backbone."""
    description = network.description
    if isinstance(network, AnyViewNetwork):
        return description.encoder.depth, 0
    return description.encoder.depth, network.description.decoder.depth
