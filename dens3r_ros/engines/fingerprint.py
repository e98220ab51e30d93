# SPDX-License-Identifier: Apache-2.0
"""A name for a set of weights, the same however they are stored."""

from __future__ import annotations

import hashlib

import torch

from dens3r_ros.network.checkpoints.families import AnyNetwork
from dens3r_ros.network.parts.described import to_json

_SAMPLES = 16


def fingerprint(network: AnyNetwork) -> str:
    """16 hexadecimal digits from the description and some values of every tensor.

    Training moves every tensor, so samples tell any two trained networks apart, and gigabytes need
    not be read for it.
    """
    digest = hashlib.sha256(to_json(network.description).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        flat = tensor.reshape(-1)
        index = torch.linspace(0, flat.numel() - 1, _SAMPLES).long()
        digest.update(flat[index].float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
