# SPDX-License-Identifier: Apache-2.0
"""The engine of a network that was made of pairwise ones, and what is to be done with those that
have none."""

from __future__ import annotations

from dens3r_ros.engines.family.align3r import Align3REngine
from dens3r_ros.engines.family.das3r import Das3rEngine
from dens3r_ros.engines.family.mvdust3r import MvDust3rEngine
from dens3r_ros.engines.family.spann3r import Spann3REngine
from dens3r_ros.engines.monocular import MonocularNetwork
from dens3r_ros.engines.protocol import Engine
from dens3r_ros.engines.single_view import SingleView, SingleViewNetwork
from dens3r_ros.engines.splatting.engine import PairSplatting
from dens3r_ros.engines.torch_engine import TorchConfig
from dens3r_ros.model_store.manifest import ModelError, load_manifest, order_of_preference
from dens3r_ros.network import load_network
from dens3r_ros.network.checkpoints.families import AnyNetwork
from dens3r_ros.network.descendants.align3r import Align3R
from dens3r_ros.network.descendants.base import DescendantNetwork
from dens3r_ros.network.descendants.das3r import Das3r
from dens3r_ros.network.descendants.mvdust3r import MvDust3r
from dens3r_ros.network.descendants.noposplat import NoPoSplat
from dens3r_ros.network.descendants.reloc3r import Reloc3r
from dens3r_ros.network.descendants.spann3r import Spann3R
from dens3r_ros.network.descendants.splatt3r import Splatt3R
from dens3r_ros.network.retrieval.head import RetrievalHead


def family_engine(network: AnyNetwork, config: TorchConfig, model: str, name: str) -> Engine | None:
    """The engine of a network; None where it is of no such family. ModelError where it is, but maps
    nothing; `model` is what a person named, `name` what it is called."""
    if isinstance(network, Splatt3R):
        return PairSplatting(network, config, name)
    if isinstance(network, Spann3R):
        return Spann3REngine(network, config, name)
    if isinstance(network, MvDust3r):
        return MvDust3rEngine(network, config, name)
    if isinstance(network, Das3r):
        return Das3rEngine(network, config, name)
    if isinstance(network, Align3R):
        return Align3REngine(network, _depth_for(model, config), config, name)
    if isinstance(network, NoPoSplat):
        raise ModelError(
            f"{model} predicts splats and nothing that a map could be made of; load it with"
            " engines.loading.load_splatting"
        )
    if isinstance(network, Reloc3r):
        raise ModelError(
            f"{model} predicts relative poses of pairs and nothing that a map could be made of; it"
            " places photos: dens3r localize --way averaging"
        )
    if isinstance(network, RetrievalHead):
        raise ModelError(f"{model} tells which photos look alike, by features of a MASt3R's")
    if isinstance(network, DescendantNetwork):
        raise ModelError(f"{model}: no engine runs networks of the kind {network.TITLE}")
    return None


def _depth_for(model: str, config: TorchConfig) -> MonocularNetwork:
    """The best network of single images on this machine; ModelError where there is none."""
    entries = load_manifest()
    ranked = [entries[name] for name in order_of_preference() if name in entries]
    for entry in (*ranked, *entries.values()):
        if entry.engine == "hybrid" and entry.path is not None:
            network = load_network(entry.path)
            if isinstance(network, SingleViewNetwork):
                return SingleView(network, config.device, config.precision, entry.name)
    raise ModelError(
        f"{model} has to be told the depth of single images, and no network for that is on this"
        " machine: dens3r models fetch moge-2-vits-normal"
    )
