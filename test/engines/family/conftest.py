# SPDX-License-Identifier: Apache-2.0
"""Small networks of the family with random weights, and files of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dens3r_ros.network import NetworkDescription, TransformerSize, save_network
from dens3r_ros.network.descendants.align3r import Align3R, Align3RDescription
from dens3r_ros.network.descendants.base import DescendantNetwork
from dens3r_ros.network.descendants.das3r import Das3r, Das3rDescription
from dens3r_ros.network.descendants.mvdust3r import MvDust3r, MvDust3rDescription
from dens3r_ros.network.descendants.mvdust3r_heads import SplatSize
from dens3r_ros.network.descendants.reloc3r import Reloc3r, Reloc3rDescription
from dens3r_ros.network.descendants.spann3r import Spann3R, Spann3RDescription
from dens3r_ros.network.pairwise.description import BackboneSize, DptSize

ENCODER, DECODER = TransformerSize(64, 2, 4, 128), TransformerSize(48, 3, 3, 96)
"""Large enough to have every part, small enough for milliseconds."""


def _pairs() -> NetworkDescription:
    return NetworkDescription(
        family="dust3r", encoder=ENCODER, decoder=DECODER, head="linear", training_size=(64, 64)
    )


def _made(name: str) -> DescendantNetwork:
    if name == "spann3r":
        return Spann3R(Spann3RDescription(_pairs(), TransformerSize(64, 2, 4, 128)))
    if name == "reloc3r":
        size = BackboneSize(encoder=ENCODER, decoder=DECODER, shared_decoder=True)
        return Reloc3r(Reloc3rDescription(size))
    if name == "align3r":
        return Align3R(Align3RDescription(_pairs(), 2))
    if name == "das3r":
        dense = DptSize(16, 8, (8, 12, 16, 24))
        pairs = replace(_pairs(), head="dpt", dpt=dense, hooks=(0, 1, 2, 3))
        return Das3r(Das3rDescription(pairs, dense))
    crosses = name == "mvdust3r+"
    return MvDust3r(MvDust3rDescription(_pairs(), 16, SplatSize(48, 1), crosses))


@pytest.fixture(scope="session")
def small() -> Callable[[str], DescendantNetwork]:
    """Makes one anew by its name, its weights the same each time."""

    def make(name: str) -> DescendantNetwork:
        torch.manual_seed(5)
        return _made(name).eval().requires_grad_(False)

    return make


@pytest.fixture(scope="session")
def checkpoint(
    small: Callable[[str], DescendantNetwork], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """A file of the same network."""
    folder = tmp_path_factory.mktemp("family")

    def write(name: str) -> Path:
        path = folder / f"{name}.safetensors"
        if not path.exists():
            save_network(small(name), path)
        return path

    return write
