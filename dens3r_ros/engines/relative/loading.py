# SPDX-License-Identifier: Apache-2.0
"""From what a person names to what tells relative poses."""

from __future__ import annotations

from dens3r_ros.engines.loading import load_any_network, load_engine
from dens3r_ros.engines.random_weights import PREFIX
from dens3r_ros.engines.relative.by_network import PosesByReloc3r
from dens3r_ros.engines.relative.by_points import PosesByPoints
from dens3r_ros.engines.relative.protocol import RelativePoser
from dens3r_ros.engines.torch_engine import TorchConfig
from dens3r_ros.model_store.manifest import resolve_model
from dens3r_ros.network.checkpoints.read import read_weights
from dens3r_ros.network.descendants.reloc3r import Reloc3r, Reloc3rDescription
from dens3r_ros.network.errors import WeightsError


def load_poser(name: str, model: str = "", size: int = 0) -> RelativePoser:
    """A Reloc3r where `model` is one, else any engine that `load_engine` knows; ValueErrors with a
    sentence. `size` is the long side in pixels to work at, 0 the engine's or network's own."""
    if name in ("auto", "torch") and _is_reloc3r(model):
        network = load_any_network(model)
        assert isinstance(network, Reloc3r)  # as its file said
        return PosesByReloc3r(network, TorchConfig(max_side=size))
    return PosesByPoints(load_engine(name, model, max_side=size))


def _is_reloc3r(model: str) -> bool:
    if not model or model.startswith(PREFIX):
        return False
    path = resolve_model(model)
    try:
        return isinstance(read_weights(path).description, Reloc3rDescription)
    except WeightsError:
        return False  # Loading it will say what is wrong.
