# SPDX-License-Identifier: Apache-2.0
"""`load_network` and `save_network`."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import save_file

from dens3r_ros.network.checkpoints.errors import WeightsError
from dens3r_ros.network.checkpoints.read import METADATA_KEY, Weights, read_weights
from dens3r_ros.network.pairwise.network import Network


def load_network(
    path_or_name: str | Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
) -> Network:
    """Load weights of the family: an official `.pth`, a Hugging Face folder, or our own file.

    `dtype` is that of the backbone's linear layers, float32 unless given; heads stay float32.
    The network is for inference: no parameter asks for gradients (`requires_grad_` turns that
    round). On the CPU weights stay mapped from the file, so it must not be overwritten in place.
    """
    network = build(read_weights(_locate(path_or_name)))
    if dtype is not None:
        network.set_backbone_dtype(dtype)
    return network.to(device)


def _locate(path_or_name: str | Path) -> Path:
    path = Path(path_or_name).expanduser()
    if path.exists():
        return path
    # Names need the manifest and its YAML reader; files do not.
    from dens3r_ros.model_store.manifest import resolve_model

    return resolve_model(path_or_name)


def build(weights: Weights) -> Network:
    """A network around tensors as they lie, with no copy of them."""
    with torch.device("meta"):
        network = Network(weights.description)
    _check(weights, network)
    for name, tensor in weights.tensors.items():
        # Float32 tensors stay mapped; others are converted one by one.
        weights.tensors[name] = tensor.float()
    network.load_state_dict(weights.tensors, strict=False, assign=True)
    return network.eval().requires_grad_(False)


def save_network(network: Network, path: str | Path, dtype: torch.dtype | None = None) -> None:
    """Write weights, as `dtype` if given, and description to one safetensors file, atomically."""
    path = Path(path)
    tensors = {
        name: tensor.detach().to("cpu", dtype).contiguous()
        for name, tensor in network.state_dict().items()
    }
    metadata = {METADATA_KEY: network.description.to_json(), "format": "pt"}
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, metadata)
    os.replace(part, path)


def _check(weights: Weights, network: Network) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    missing = [name for name in expected if name not in weights.tensors]
    if missing:
        raise WeightsError(
            f"{weights.path}: {len(missing)} of {len(expected)} tensors are missing, "
            f"{_listed(missing)} among them; the file is incomplete or of another network."
        )
    wrong = [name for name in expected if expected[name] != tuple(weights.tensors[name].shape)]
    if wrong:
        name = wrong[0]
        raise WeightsError(
            f"{weights.path}: {len(wrong)} tensors have another shape than their network: "
            f"{name} is {tuple(weights.tensors[name].shape)}, expected {expected[name]}."
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3])
