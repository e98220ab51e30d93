# SPDX-License-Identifier: Apache-2.0
"""Splats as tensors that can be drawn and optimised."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.splats.splats import Splats

SUREST = 1e-6
"""From 0 and 1 that an opacity must keep for its logit to be a number."""


@dataclass(frozen=True, eq=False)
class Gaussians:
    """Splats without bounds on any number, of one floating type, on one device.

    means (N, 3); log_scales (N, 3); rotations (N, 4) quaternions x, y, z, w of any length; logits
    (N,) of the opacities; harmonics (N, K, 3)
    """

    means: Tensor
    log_scales: Tensor
    rotations: Tensor
    logits: Tensor
    harmonics: Tensor

    def __len__(self) -> int:
        return len(self.means)

    def tensors(self) -> dict[str, Tensor]:
        """All by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def gaussians_of(
    splats: Splats, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Gaussians:
    """Tensors of their own with the same content."""

    def tensor(array: np.ndarray) -> Tensor:
        return torch.tensor(array, dtype=dtype, device=device)

    opacities = tensor(splats.opacities).clamp(SUREST, 1 - SUREST)
    return Gaussians(
        tensor(splats.means),
        tensor(splats.log_scales),
        tensor(splats.rotations),
        torch.logit(opacities),
        tensor(splats.harmonics),
    )


def splats_of(gaussians: Gaussians, frame: str, metric: bool) -> Splats:
    """The same as arrays."""

    def array(tensor: Tensor) -> np.ndarray:
        return tensor.detach().float().cpu().numpy().copy()

    return Splats(
        array(gaussians.means),
        array(gaussians.log_scales),
        array(torch.nn.functional.normalize(gaussians.rotations.detach(), dim=-1)),
        array(gaussians.logits.sigmoid()),
        array(gaussians.harmonics),
        frame,
        metric,
    )
