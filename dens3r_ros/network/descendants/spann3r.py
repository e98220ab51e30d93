# SPDX-License-Identifier: Apache-2.0
"""Spann3R: frame after frame into the first one's frame, by a memory instead of optimisation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dens3r_ros.network.descendants.base import DescendantNetwork
from dens3r_ros.network.descendants.describing import (
    EXP_CONFIDENCE,
    HEAD_WIDTH,
    Config,
    Shapes,
    own_name_in,
    pairwise_description,
    renamed,
    within,
)
from dens3r_ros.network.descendants.describing import is_unused as unused_in_family
from dens3r_ros.network.descendants.spatial_memory import (
    MemoryConfig,
    MemoryNorms,
    SpatialMemory,
)
from dens3r_ros.network.pairwise.backbone import Tokens
from dens3r_ros.network.pairwise.blocks import NORM_EPSILON, EncoderBlock
from dens3r_ros.network.pairwise.description import NetworkDescription, TransformerSize
from dens3r_ros.network.pairwise.network import Network

_PREFIX = "dust3r."


@dataclass(frozen=True, eq=False)
class FramePoints:
    """Points (B, H, W, 3) of a frame in the first frame's optical frame, confidence (B, H, W)."""

    points: Tensor
    confidence: Tensor


@dataclass(frozen=True)
class Spann3RDescription:
    """What a Spann3R is made of: a pairwise network, and the encoder of what is remembered."""

    network: NetworkDescription
    memory: TransformerSize


class Spann3R(DescendantNetwork):
    """A DUSt3R with a memory; `stream` starts a sequence."""

    FAMILY, TITLE = "spann3r", "Spann3R"

    def __init__(self, description: Spann3RDescription) -> None:
        super().__init__()
        self.description = description
        memory, size = description.memory, description.network
        width = size.encoder.width
        wide = width + size.decoder.width
        self.network = Network(size)
        self.norms = MemoryNorms(width)
        self.key_a = nn.Sequential(nn.Linear(wide, wide), nn.GELU(), nn.Linear(wide, width))
        self.key_b = nn.Sequential(nn.Linear(wide, wide), nn.GELU(), nn.Linear(wide, width))
        self.point_embed = nn.Conv2d(3, width, size.patch, size.patch)
        self.value_encoder = nn.ModuleList(EncoderBlock(memory) for _ in range(memory.depth))
        self.value_norm = nn.LayerNorm(width, NORM_EPSILON)
        self.value_out = nn.Linear(width, width)

    def stream(self, config: MemoryConfig | None = None) -> Spann3RStream:
        """A new sequence, of which nothing is remembered yet."""
        return Spann3RStream(self, config)

    def value(self, points: Tensor) -> Tensor:
        """(N, width) what the memory keeps of a frame's points (1, H, W, 3)."""
        x = self.point_embed(points.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)
        for block in self.value_encoder:
            x = block(x)
        return self.value_out(self.value_norm(x))[0]


class Spann3RStream:
    """One sequence: two neighbouring frames are compared, the older one with what is remembered."""

    def __init__(self, network: Spann3R, config: MemoryConfig | None = None) -> None:
        self.network = network
        self.memory = SpatialMemory(network.norms, config)
        self.query: Tensor | None = None
        self._last: Tokens | None = None

    def step(self, image: Tensor) -> tuple[FramePoints, FramePoints] | None:
        """Take the next frame (1, 3, H, W); the better prediction of the one before, and its own.

        None for the first frame, which has nothing to be compared with. The prediction of the
        newest frame is preliminary: the next step gives it once more.
        """
        return self.step_tokens(self.network.network.encode(image))

    def step_tokens(self, tokens: Tokens) -> tuple[FramePoints, FramePoints] | None:
        """The same with a frame that is encoded already."""
        before, self._last = self._last, tokens
        return None if before is None else self._pair(before, tokens)

    def _pair(self, a: Tokens, b: Tokens) -> tuple[FramePoints, FramePoints]:
        network = self.network.network
        known = a if self.query is None else Tokens(self.memory.read(self.query)[None], a.grid)
        last = network.description.decoder.depth
        states_a, states_b = network.decode(known, b)
        # The key is made of what the image itself shows, not of what was remembered.
        key = self.network.key_a(torch.cat((a.data, states_a.layers[last]), dim=-1))[0]
        self.query = self.network.key_b(torch.cat((b.data, states_b.layers[last]), dim=-1))[0]
        points_a = _points(network.points(states_a, "a"))
        points_b = _points(network.points(states_b, "b"))
        self.memory.insert(key, self.network.value(points_a.points) + key)
        return points_a, points_b


def _points(maps: tuple[Tensor, Tensor | None]) -> FramePoints:
    points, confidence = maps
    assert confidence is not None
    return FramePoints(points, confidence)


def describe(shapes: Shapes, config: Config) -> Spann3RDescription:
    """The description of a published checkpoint."""
    description = pairwise_description(
        config, within(shapes, _PREFIX), conf_mode=EXP_CONFIDENCE, img_size=224
    )
    hidden, width = shapes["value_encoder.0.mlp.fc1.weight"]
    depth = len({key.split(".")[1] for key in shapes if key.startswith("value_encoder.")})
    heads = int(config.get("memory_num_heads") or max(1, width // HEAD_WIDTH))
    return Spann3RDescription(description, TransformerSize(width, depth, heads, hidden))


_OWN = {
    "norm_q.": "norms.norm_q.",
    "norm_k.": "norms.norm_k.",
    "norm_v.": "norms.norm_v.",
    "attn_head_1.": "key_a.",
    "attn_head_2.": "key_b.",
    "pos_patch_embed.proj.": "point_embed.",
    "value_encoder.": "value_encoder.",
    "value_norm.": "value_norm.",
    "value_out.": "value_out.",
}


def own_name(key: str) -> str | None:
    """Our name for the tensor that published networks call `key`."""
    if key.startswith(_PREFIX):
        return own_name_in(key[len(_PREFIX) :], "network.")
    return renamed(key, _OWN)


def is_unused(key: str) -> bool:
    """Whether files carry this tensor without its being read."""
    return unused_in_family(key.removeprefix(_PREFIX))
