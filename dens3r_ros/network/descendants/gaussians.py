# SPDX-License-Identifier: Apache-2.0
"""Gaussian splats as networks predict them, one for every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class PixelSplats:
    """Splats (B, V, H, W, ...) of all pixels of V views, in the first view's optical frame.

    means      (..., 3) centres
    scales     (..., 3) standard deviations along the splat's own axes, in the unit of the means
    rotations  (..., 4) quaternions x, y, z, w: from the splat's own axes
    harmonics  (..., 3, K) coefficients of each colour, the constant one first
    opacities  (...) from 0 to 1
    """

    means: Tensor
    scales: Tensor
    rotations: Tensor
    harmonics: Tensor
    opacities: Tensor

    def covariances(self) -> Tensor:
        """(..., 6): xx, xy, xz, yy, yz, zz."""
        return covariances(self.scales, self.rotations)


def covariances(scales: Tensor, rotations: Tensor) -> Tensor:
    """(..., 6) xx, xy, xz, yy, yz, zz of scales (..., 3) along axes turned by (..., 4) x, y, z, w.

    Quaternions need not be exactly of length 1.
    """
    axes = _axes(rotations) * scales[..., None, :]
    full = axes @ axes.mT
    rows, columns = torch.triu_indices(3, 3)
    return full[..., rows, columns]


def _axes(quaternion: Tensor) -> Tensor:
    x, y, z, w = quaternion.unbind(-1)
    s = 2.0 / (quaternion.square().sum(-1) + 1e-8)
    rows = (
        torch.stack((1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)), dim=-1),
        torch.stack((s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)), dim=-1),
        torch.stack((s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)), dim=-1),
    )
    return torch.stack(rows, dim=-2)
