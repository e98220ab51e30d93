# SPDX-License-Identifier: Apache-2.0
"""If these fail, a saved network cannot be built again, or an impossible one is built."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dens3r_ros.network import (
    ConfidenceRange,
    DescriptorSize,
    NetworkDescription,
    TransformerSize,
)

VIT_L = TransformerSize(1024, 24, 16, 4096)
VIT_B = TransformerSize(768, 12, 12, 3072)
DUST3R = NetworkDescription("dust3r", VIT_L, VIT_B)
FULL = NetworkDescription(
    "dens3r",
    VIT_L,
    TransformerSize(128, 5, 4, 512),
    patch=8,
    rope_grid=32,
    hooks=(0, 2, 3, 5),
    confidence=ConfidenceRange(1.0, 50.0),
    descriptors=DescriptorSize(24, 512, None),
    normals=True,
)


@pytest.mark.parametrize("description", [DUST3R, FULL, replace(FULL, confidence=None)])
def test_json_keeps_everything(description: NetworkDescription) -> None:
    text = description.to_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert NetworkDescription.from_json(text) == description
    assert hash(NetworkDescription.from_json(text)) == hash(description)


def test_layers_that_heads_read() -> None:
    assert DUST3R.kept_layers == (0, 6, 9, 12)
    assert replace(DUST3R, head="linear").kept_layers == (0, 12)
    assert replace(DUST3R, hooks=(1, 3, 5, 7)).kept_layers == (0, 1, 3, 5, 7, 12)


@pytest.mark.parametrize("hooks", [(0, 3, 6, 13), (0, 3, 3, 6), (6, 3, 2, 1), (-1, 2, 3, 4)])
def test_impossible_hooks(hooks: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="four rising layers between 0 and 12"):
        replace(DUST3R, hooks=hooks)


@pytest.mark.parametrize(("width", "heads"), [(64, 5), (24, 4), (64, 0), (0, 4)])
def test_impossible_heads(width: int, heads: int) -> None:
    with pytest.raises(ValueError, match=r"heads do not divide|sizes of a transformer"):
        TransformerSize(width, 4, heads, 256)


def test_a_network_gives_something() -> None:
    with pytest.raises(ValueError, match="points or normals"):
        replace(DUST3R, points=None)
    with pytest.raises(ValueError, match="descriptors come with points"):
        replace(FULL, points=None)
