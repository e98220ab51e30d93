# SPDX-License-Identifier: Apache-2.0
"""Small networks for the engines' tests."""

from __future__ import annotations

import torch

from dens3r_ros.network import (
    DescriptorSize,
    DptSize,
    Network,
    NetworkDescription,
    TransformerSize,
)


def small_network(**changes: object) -> Network:
    """A network with every output, small enough to run in milliseconds."""
    fields: dict[str, object] = {
        "family": "mast3r",
        "encoder": TransformerSize(64, 2, 4, 128),
        "decoder": TransformerSize(48, 3, 3, 96),
        "dpt": DptSize(16, 8, (8, 12, 16, 24)),
        "hooks": (0, 1, 2, 3),
        "descriptors": DescriptorSize(8, 64),
        "normals": True,
        "metric": True,
        "training_size": (128, 96),
    }
    torch.manual_seed(3)
    network = Network(NetworkDescription(**{**fields, **changes}))  # type: ignore[arg-type]
    return network.eval().requires_grad_(False)
