# SPDX-License-Identifier: Apache-2.0
"""What is minimised: the recipe on pairs, or cross-view completion to start from."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.backbone import States, Tokens
from dens3r_ros.network.network import Network, View
from dens3r_ros.network.prediction import PairPrediction
from dens3r_ros.training.config import LossWeights, TrainingConfig
from dens3r_ros.training.losses.pair_losses import pair_losses, total_loss
from dens3r_ros.training.losses.truth import PairTruth

Pair = tuple[States, States]


@dataclass(frozen=True, eq=False)
class Batch:
    """Pairs of (B, 3, H, W) images in [-1, 1] and their truth; `seed` for random choices."""

    images_a: Tensor
    images_b: Tensor
    truth: PairTruth
    seed: int


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether the backbone works in bfloat16."""
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    return precision == "bfloat16"


class PairObjective(nn.Module):
    """The losses of the recipe, of pairs in one order or both."""

    def __init__(self, network: Network, config: TrainingConfig) -> None:
        super().__init__()
        self.network = network
        self._config = config

    def forward(self, batch: Batch, weights: LossWeights) -> dict[str, Tensor]:
        """Every loss before weighing, and their weighted "total"."""
        there, back = self._states(batch, self._config.symmetric)
        losses = self._losses(there, batch.truth, weights)
        if back is not None:
            other = self._losses(back, batch.truth.reversed(), weights)
            losses = {name: (loss + other[name]) / 2 for name, loss in losses.items()}
        return {**losses, "total": total_loss(losses, weights)}

    def predict(self, batch: Batch) -> tuple[PairPrediction, PairPrediction]:
        """What the network sees in (a, b), and in (b, a)."""
        there, back = self._states(batch, True)
        return predict_from(self.network, there), predict_from(self.network, back or there)

    def compile_parts(self) -> None:
        """Compile what is repeated: blocks, one by one, and heads with their losses."""
        # Every block and every image size is a version of its own.
        torch._dynamo.config.cache_size_limit = 256
        network = self.network
        blocks = [*network.encoder.blocks, *network.decoder.blocks_a]
        for block in blocks + list(network.decoder.blocks_b or ()):
            block.compile(dynamic=False)
        self._losses = torch.compile(self._losses, dynamic=False)  # type: ignore[method-assign]

    def _states(self, batch: Batch, both: bool) -> tuple[Pair, Pair | None]:
        network = self.network
        with autocast(self._config, batch.images_a.device):
            a, b = encode_pair(network, batch.images_a, batch.images_b)
            there = network.decode(a, b)
            if not both:
                return there, None
            # With one decoder for both views, the other order only exchanges them.
            shared = network.description.shared_decoder
            return there, (there[1], there[0]) if shared else network.decode(b, a)

    def _losses(self, states: Pair, truth: PairTruth, weights: LossWeights) -> dict[str, Tensor]:
        config = self._config
        return pair_losses(
            predict_from(self.network, states),
            truth,
            weights,
            config.matching,
            config.reference_focal,
            self.network.description.metric,
        )


class CompletionObjective(nn.Module):
    """Patches hidden from the first view are painted anew with the help of the second.

    What is painted is each patch's pixels, normalised to mean 0 and deviation 1.
    """

    def __init__(self, network: Network, config: TrainingConfig) -> None:
        super().__init__()
        self.network = network
        description = network.description
        self.patch = description.patch
        self.last = description.decoder.depth
        self.painter = nn.Linear(description.decoder.width, 3 * self.patch**2)
        self._config = config

    def forward(self, batch: Batch, weights: LossWeights) -> dict[str, Tensor]:
        """The "completion" loss, and the same as "total"."""
        wanted = patches(batch.images_a, self.patch)
        hidden = self._hidden(wanted.shape[:2], batch.seed).to(wanted.device)
        spread = wanted.std(2, keepdim=True).clamp(min=1e-3)
        wanted = (wanted - wanted.mean(2, keepdim=True)) / spread
        with autocast(self._config, batch.images_a.device):
            images = hide(batch.images_a, hidden, self.patch)
            a, b = encode_pair(self.network, images, batch.images_b)
            states, _ = self.network.decode(a, b)
        painted = self.painter(states.layers[self.last].float())
        loss = F.mse_loss(painted[hidden], wanted[hidden])
        return {"completion": loss, "total": loss}

    def compile_parts(self) -> None:
        """Compile encoder and decoder."""
        self.network.encoder.compile()
        self.network.decoder.compile()

    def _hidden(self, shape: torch.Size, seed: int) -> Tensor:
        """(B, N) bool, the same number in every image."""
        keys = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
        count = round(self._config.completion.masked * shape[1])
        return torch.zeros(shape, dtype=torch.bool).scatter(1, keys.topk(count, 1).indices, True)


def patches(images: Tensor, patch: int) -> Tensor:
    """(B, N, 3 * patch^2) the pixels of each patch of (B, 3, H, W) images, row by row."""
    return F.unfold(images, patch, stride=patch).transpose(1, 2)


def hide(images: Tensor, hidden: Tensor, patch: int) -> Tensor:
    """Images with the patches where (B, N) `hidden` holds turned to middle grey."""
    rows, columns = images.shape[2] // patch, images.shape[3] // patch
    mask = hidden.reshape(-1, 1, rows, columns).float()
    return images * (1 - F.interpolate(mask, scale_factor=patch, mode="nearest"))


def autocast(config: TrainingConfig, device: torch.device) -> AbstractContextManager[None]:
    """bfloat16 for the backbone, if the run has it so."""
    enabled = uses_bfloat16(config.precision, device)
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def encode_pair(network: Network, images_a: Tensor, images_b: Tensor) -> tuple[Tokens, Tokens]:
    """Both views in one batch."""
    both = network.encode(torch.cat((images_a, images_b)))
    a, b = both.data.chunk(2)
    return Tokens(a, both.grid), Tokens(b, both.grid)


def predict_from(network: Network, states: Pair) -> PairPrediction:
    """All maps of both views from the decoder's states of both."""
    description = network.description
    maps: dict[str, Tensor | None] = {}
    views: tuple[View, View] = ("a", "b")
    for view, state in zip(views, states, strict=True):
        if description.points is not None:
            maps[f"points_{view}"], maps[f"confidence_{view}"] = network.points(state, view)
        if description.descriptors is not None:
            descriptors, own = network.descriptors(state, view)
            maps[f"descriptors_{view}"], maps[f"descriptor_confidence_{view}"] = descriptors, own
        if description.normals:
            maps[f"normals_{view}"] = network.normals(state)
    return PairPrediction(**maps)
