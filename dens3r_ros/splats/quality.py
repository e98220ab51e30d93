# SPDX-License-Identifier: Apache-2.0
"""How near one image comes to another."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d

_WINDOW, _SIGMA = 11, 1.5
_MEAN_FLOOR, _SPREAD_FLOOR = 0.01**2, 0.03**2


def psnr(image: Tensor, truth: Tensor) -> float:
    """Decibels between images of values from 0 to 1."""
    return float(-10 * torch.log10((image - truth).square().mean().clamp(min=1e-12)))


def ssim_map(image: Tensor, truth: Tensor) -> Tensor:
    """(H, W) structural similarity of images (H, W, 3) from 0 to 1, by the published window."""
    a, b = (one.permute(2, 0, 1)[:, None] for one in (image, truth))
    stacked = torch.cat([a, b, a * a, b * b, a * b])
    mean_a, mean_b, aa, bb, ab = _blurred(stacked).chunk(5)
    spread = (aa - mean_a.square()) + (bb - mean_b.square()) + _SPREAD_FLOOR
    means = mean_a.square() + mean_b.square() + _MEAN_FLOOR
    shared = 2 * (ab - mean_a * mean_b) + _SPREAD_FLOOR
    return ((2 * mean_a * mean_b + _MEAN_FLOOR) * shared / (means * spread))[:, 0].mean(0)


def ssim(image: Tensor, truth: Tensor) -> float:
    """The mean of `ssim_map`; 1 where they are equal."""
    return float(ssim_map(image, truth).mean())


def _blurred(planes: Tensor) -> Tensor:
    """(B, 1, H, W) under the window; beyond the edges all is 0."""
    place = torch.arange(_WINDOW, dtype=planes.dtype, device=planes.device) - _WINDOW // 2
    window = torch.exp(-place.square() / (2 * _SIGMA**2))
    window = window / window.sum()
    down = conv2d(planes, window[None, None, :, None], padding=(_WINDOW // 2, 0))
    return conv2d(down, window[None, None, None], padding=(0, _WINDOW // 2))
