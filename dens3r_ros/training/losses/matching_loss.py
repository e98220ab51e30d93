# SPDX-License-Identifier: Apache-2.0
"""Descriptors of one surface point must agree in both views, and with nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dens3r_ros.training.config import Matching


@dataclass(frozen=True, eq=False)
class TrueMatches:
    """The same number of true correspondences of every pair.

    pixels_a, pixels_b  (B, N, 2) x, y in either view, pixel centres at whole numbers
    valid               (B, N) bool: False where a pair has fewer than N
    """

    pixels_a: Tensor
    pixels_b: Tensor
    valid: Tensor

    def reversed(self) -> TrueMatches:
        """The same with the views exchanged."""
        return TrueMatches(self.pixels_b, self.pixels_a, self.valid)


def draw_matches(
    pixels_b_in_a: Tensor, visible: Tensor, count: int, generator: torch.Generator
) -> TrueMatches:
    """Draw up to `count` correspondences of each pair, without repeats.

    pixels_b_in_a: (B, H, W, 2), where each pixel of b lies in a; visible: (B, H, W) whether it is
    seen there. `generator` is of their device.
    """
    batch, pixels = len(visible), visible[0].numel()
    count = min(count, pixels)
    keys = torch.rand(batch, pixels, generator=generator, device=visible.device)
    keys = torch.where(visible.flatten(1), keys, -1.0)
    best, index = keys.topk(count, dim=1)
    width = visible.shape[2]
    pixels_b = torch.stack((index % width, index.div(width, rounding_mode="floor")), -1)
    pixels_a = pixels_b_in_a.flatten(1, 2).gather(1, index[..., None].expand(-1, -1, 2))
    valid = best >= 0
    return TrueMatches(torch.where(valid[..., None], pixels_a, 0), pixels_b.float(), valid)


def sample_at(maps: Tensor, pixels: Tensor) -> Tensor:
    """(B, N, D) bilinear samples of (B, H, W, D) maps at (B, N, 2) pixels x, y."""
    height, width = maps.shape[1:3]
    scale = pixels.new_tensor((2 / max(width - 1, 1), 2 / max(height - 1, 1)))
    grid = (pixels * scale - 1)[:, None]
    sampled = F.grid_sample(
        maps.permute(0, 3, 1, 2), grid, align_corners=True, padding_mode="border"
    )
    return sampled[:, :, 0].transpose(1, 2)


def directions_at(maps: Tensor, pixels: Tensor) -> Tensor:
    """The same, of unit length."""
    return F.normalize(sample_at(maps, pixels), dim=-1)


def info_nce(
    descriptors_a: Tensor,
    descriptors_b: Tensor,
    matches: TrueMatches,
    temperature: float,
    exclusion: float,
) -> Tensor:
    """(B, N) mean cross-entropy, both ways, of finding each match among all matches of its pair.

    descriptors: (B, N, D) unit vectors at the matches. Other matches within `exclusion` pixels in
    the first view are no rivals: between neighbours the truth is finer than a pixel.
    """
    similarity = descriptors_a @ descriptors_b.transpose(1, 2) / temperature
    itself = torch.eye(similarity.shape[1], dtype=torch.bool, device=similarity.device)
    near = torch.cdist(matches.pixels_a, matches.pixels_a) < exclusion
    rivals = matches.valid[:, None, :] & matches.valid[:, :, None] & ~near
    similarity = similarity.masked_fill(~(rivals | itself), -torch.inf)
    right = similarity.diagonal(dim1=1, dim2=2)
    there = similarity.logsumexp(2) - right
    back = similarity.logsumexp(1) - right
    return (there + back) / 2


def matching_loss(
    descriptors: tuple[Tensor, Tensor],
    matches: TrueMatches,
    settings: Matching,
    confidence: tuple[Tensor, Tensor] | None = None,
    alpha: float = 0.0,
) -> Tensor:
    """Mean InfoNCE over all matches of a batch, from both views' (B, H, W, D) unit descriptors.

    Where descriptors have (B, H, W) confidence of their own, a match's is the geometric mean q of
    its two, and it costs q * InfoNCE - alpha * log q.
    """
    at_a = directions_at(descriptors[0], matches.pixels_a)
    at_b = directions_at(descriptors[1], matches.pixels_b)
    each = info_nce(at_a, at_b, matches, settings.temperature, settings.exclusion)
    if confidence is not None and alpha:
        q_a = sample_at(confidence[0][..., None], matches.pixels_a)
        q_b = sample_at(confidence[1][..., None], matches.pixels_b)
        log_q = (q_a.log() + q_b.log())[..., 0] / 2
        each = log_q.exp() * each - alpha * log_q
    return torch.where(matches.valid, each, 0).sum() / matches.valid.sum().clamp(min=1)


def match_precision(
    descriptors_a: Tensor, descriptors_b: Tensor, matches: TrueMatches, pixels: float
) -> Tensor:
    """(B,) share of matches whose best descriptor anywhere in a lies within `pixels` of the truth.

    NaN for pairs without matches.
    """
    width = descriptors_a.shape[2]
    at_b = directions_at(descriptors_b, matches.pixels_b)
    best = (at_b @ descriptors_a.flatten(1, 2).transpose(1, 2)).argmax(-1)
    found = torch.stack((best % width, best.div(width, rounding_mode="floor")), -1)
    near = (found - matches.pixels_a).norm(dim=-1) <= pixels
    right = (near & matches.valid).sum(1)
    return right / matches.valid.sum(1)
