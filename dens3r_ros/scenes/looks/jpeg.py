# SPDX-License-Identifier: Apache-2.0
"""The losses of JPEG: 8 x 8 cosine transform, quantisation, halved colour resolution."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def jpeg(picture: Tensor, quality: Tensor) -> Tensor:
    """(V, 3, H, W) in [0, 1] as a file of `quality` (V,) gives it back; 100 changes nothing."""
    lossy = (quality < 100.0).nonzero()[:, 0]
    if not len(lossy):
        return picture
    result = picture.clone()
    result[lossy] = _compressed(picture[lossy], quality[lossy])
    return result


def _compressed(picture: Tensor, quality: Tensor) -> Tensor:
    height, width = picture.shape[2:]
    pad = (0, -width % 16, 0, -height % 16)
    whole = F.pad(picture, pad, mode="replicate") * 255.0 - 128.0
    factor = torch.where(quality < 50.0, 50.0 / quality, 2.0 - 0.02 * quality)
    colours = _mixed(whole, _TO_YCC)
    luma = _quantised(colours[:, :1], factor, _LUMA)
    chroma = _quantised(F.avg_pool2d(colours[:, 1:], 2), factor, _CHROMA)
    chroma = F.interpolate(chroma, scale_factor=2, mode="nearest")
    back = _mixed(torch.cat((luma, chroma), 1), _TO_RGB)
    return ((back + 128.0) / 255.0)[:, :, :height, :width]


def _mixed(picture: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    channels = picture.unbind(1)
    rows = [sum(w * c for w, c in zip(row, channels, strict=True)) for row in matrix]
    return torch.stack(rows, 1)  # type: ignore[arg-type]


@lru_cache(maxsize=4)
def _cosines(device: torch.device) -> Tensor:
    k = torch.arange(8, dtype=torch.float64)
    matrix = (torch.pi * (2 * k + 1) * k[:, None] / 16).cos() * 0.5
    matrix[0] *= 0.5**0.5
    return matrix.float().to(device)


def _quantised(plane: Tensor, factor: Tensor, steps: tuple[tuple[int, ...], ...]) -> Tensor:
    count, channels, height, width = plane.shape
    cosines = _cosines(plane.device)
    table = torch.tensor(steps, dtype=torch.float32, device=plane.device)
    step = (factor[:, None, None, None, None, None] * table[:, None, :]).clamp(min=1.0)
    blocks = plane.view(count, channels, height // 8, 8, width // 8, 8)
    values = torch.einsum("ki,vchiwj,lj->vchkwl", cosines, blocks, cosines)
    values = (values / step).round() * step
    back = torch.einsum("ki,vchkwl,lj->vchiwj", cosines, values, cosines)
    return back.reshape(count, channels, height, width)
