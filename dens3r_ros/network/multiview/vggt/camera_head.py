# SPDX-License-Identifier: Apache-2.0
"""Cameras of VGGT: a first guess, refined a few times by blocks that see it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dens3r_ros.network.multiview.description import CameraHeadSize
from dens3r_ros.network.parts.blocks import Block, BlockSize, Mlp

ENCODING = 9
_EPSILON = 1e-5
_MODULATED_EPSILON = 1e-6


class CameraHead(nn.Module):
    """From the camera tokens of S views to nine numbers each: pose world to camera, and fields."""

    def __init__(self, width: int, size: CameraHeadSize) -> None:
        super().__init__()
        self.iterations = size.iterations
        block = BlockSize(width, size.heads, 4 * width, _EPSILON)
        self.token_norm = nn.LayerNorm(width, _EPSILON)
        self.no_guess = nn.Parameter(torch.zeros(1, 1, ENCODING))
        self.embed_guess = nn.Linear(ENCODING, width)
        self.modulation = nn.Linear(width, 3 * width)
        self.modulated_norm = nn.LayerNorm(width, _MODULATED_EPSILON, elementwise_affine=False)
        self.trunk = nn.ModuleList(Block(block) for _ in range(size.depth))
        self.trunk_norm = nn.LayerNorm(width, _EPSILON)
        self.correction = Mlp(width, width // 2, ENCODING)

    def forward(self, tokens: Tensor) -> Tensor:
        """The last of the `guesses`."""
        return self.guesses(tokens)[-1]

    def guesses(self, tokens: Tensor) -> list[Tensor]:
        """(B, S, 9) after each iteration, from tokens (B, S, width)."""
        tokens = self.token_norm(tokens.float())
        modulated = self.modulated_norm(tokens)
        guess = self.no_guess.expand(*tokens.shape[:2], -1)
        found: list[Tensor] = []
        for _ in range(self.iterations):
            correction = self._correction(tokens, modulated, guess)
            # Fields of view are made positive in what is given, not in what is refined.
            guess = guess + correction if found else correction
            found.append(torch.cat((guess[..., :7], F.relu(guess[..., 7:])), dim=-1))
        return found

    def _correction(self, tokens: Tensor, modulated: Tensor, guess: Tensor) -> Tensor:
        shift, scale, gate = self.modulation(F.silu(self.embed_guess(guess))).chunk(3, dim=-1)
        x = gate * (modulated * (1 + scale) + shift) + tokens
        for block in self.trunk:
            x = block(x)
        return self.correction(self.trunk_norm(x))
