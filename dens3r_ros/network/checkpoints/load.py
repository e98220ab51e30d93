# SPDX-License-Identifier: Apache-2.0
"""`load_network` and `save_network`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from dens3r_ros.network.checkpoints.families import AnyNetwork, family_of_description
from dens3r_ros.network.checkpoints.pairwise import listed
from dens3r_ros.network.checkpoints.read import (
    KIND,
    METADATA_KEY,
    Weights,
    from_published,
    read_weights,
)
from dens3r_ros.network.errors import WeightsError
from dens3r_ros.network.pairwise.network import Network
from dens3r_ros.network.parts.described import to_json


def load_network(
    path_or_name: str | Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
) -> AnyNetwork:
    """Load weights of any family: an official file, a Hugging Face folder, or our own file.

    `dtype` is that of the backbone's linear layers, float32 unless given; heads stay float32.
    The network is for inference: no parameter asks for gradients (`requires_grad_` turns that
    round). On the CPU weights stay mapped from the file, so it must not be overwritten in place.
    """
    network = build(read_weights(_locate(path_or_name)))
    if dtype is not None:
        network.set_backbone_dtype(dtype)
    return network.to(device)


def load_pairwise(
    path_or_name: str | Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
) -> Network:
    """`load_network` for weights of the pairwise family; WeightsError where they are of another."""
    network = load_network(path_or_name, device, dtype)
    if not isinstance(network, Network):
        raise WeightsError(
            f"{path_or_name}: a {network.info.family} network, which does not look at pairs; "
            "a network of the DUSt3R, MASt3R or Dens3R family is needed."
        )
    return network


def build_network(
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any] | None = None,
    name: str = "tensors",
) -> AnyNetwork:
    """A network around tensors by their published names, as they lie in memory.

    `config` is what is known of the network beyond their shapes, such as the blocks that heads
    read; `name` stands in messages. For families that are known by their tensors, so not for the
    pairwise one.
    """
    weights = from_published(tensors, config or {}, Path(name))
    if weights is None:
        raise WeightsError(f"{name}: of no family known by its tensors ({listed(dict(tensors))}).")
    return build(weights)


def _locate(path_or_name: str | Path) -> Path:
    path = Path(path_or_name).expanduser()
    if path.exists():
        return path
    # Names need the manifest and its YAML reader; files do not.
    from dens3r_ros.model_store.manifest import resolve_model

    return resolve_model(path_or_name)


def build(weights: Weights) -> AnyNetwork:
    """A network around tensors as they lie, with no copy of them."""
    family = family_of_description(weights.description)
    with torch.device("meta"):
        make = Network if family is None else family.network
        network = make(weights.description)
    _check(weights, network)
    if family is not None:
        _check_all_read(weights, network, family.kind)
    expected = network.state_dict()
    for name, tensor in weights.tensors.items():
        # Tensors of the network's own type stay mapped; others are converted one by one.
        dtype = expected[name].dtype if name in expected else torch.float32
        weights.tensors[name] = tensor.to(dtype)
    network.load_state_dict(weights.tensors, strict=False, assign=True)
    return network.eval().requires_grad_(False)


def save_network(network: AnyNetwork, path: str | Path, dtype: torch.dtype | None = None) -> None:
    """Write weights, as `dtype` if given, and description to one safetensors file, atomically."""
    path = Path(path)
    tensors = {
        name: tensor.detach().to("cpu", dtype).contiguous()
        for name, tensor in network.state_dict().items()
    }
    metadata = {METADATA_KEY: _description(network), "format": "pt"}
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, metadata)
    os.replace(part, path)


def _description(network: AnyNetwork) -> str:
    family = family_of_description(network.description)
    text = to_json(network.description)
    if family is None:
        return text
    return json.dumps({KIND: family.kind, **json.loads(text)}, sort_keys=True)


def _check_all_read(weights: Weights, network: AnyNetwork, kind: str) -> None:
    """What is not read would have changed what published code gives."""
    expected = network.state_dict().keys()
    unread = [name for name in weights.tensors if name not in expected]
    if unread:
        raise WeightsError(
            f"{weights.path}: {len(unread)} tensors have no place in a {kind} network, "
            f"{', '.join(unread[:3])} among them; it is of a variant unknown here."
        )


def _check(weights: Weights, network: AnyNetwork) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    missing = [name for name in expected if name not in weights.tensors]
    if missing:
        raise WeightsError(
            f"{weights.path}: {len(missing)} of {len(expected)} tensors are missing, "
            f"{', '.join(missing[:3])} among them; the file is incomplete or of another network."
        )
    wrong = [name for name in expected if expected[name] != tuple(weights.tensors[name].shape)]
    if wrong:
        name = wrong[0]
        raise WeightsError(
            f"{weights.path}: {len(wrong)} tensors have another shape than their network: "
            f"{name} is {tuple(weights.tensors[name].shape)}, expected {expected[name]}."
        )
