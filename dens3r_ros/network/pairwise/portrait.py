# SPDX-License-Identifier: Apache-2.0
"""Portrait images for networks that were trained on landscape ones: turn, predict, turn back."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from dens3r_ros.network.prediction import PairPrediction

_VECTORS = ("points", "normals")
_MAPS = (*_VECTORS, "confidence", "descriptors", "descriptor_confidence")


def turn_images(images: Tensor) -> Tensor:
    """(B, 3, H, W) images turned by 90 degrees counter-clockwise: (B, 3, W, H)."""
    return torch.rot90(images, 1, (2, 3))


def turn_back(prediction: PairPrediction, a: bool = True, b: bool = True) -> PairPrediction:
    """The prediction for the images as they were before those of view a, b or both were turned.

    Maps are turned clockwise; points of both views follow a's optical frame, normals their own
    view's.
    """
    if not (a or b):
        return prediction
    turned: dict[str, Tensor] = {}
    for view, is_turned in (("a", a), ("b", b)):
        for name in _MAPS:
            field: Tensor | None = getattr(prediction, f"{name}_{view}")
            if field is None:
                continue
            if is_turned:
                field = torch.rot90(field, -1, (1, 2))
            if name in _VECTORS and (a if name == "points" else is_turned):
                field = _turn_vectors(field)
            turned[f"{name}_{view}"] = field
    return replace(prediction, **turned)


def _turn_vectors(vectors: Tensor) -> Tensor:
    """(x, y, z) to (-y, x, z)."""
    x, y, z = vectors.unbind(-1)
    return torch.stack((-y, x, z), dim=-1)
