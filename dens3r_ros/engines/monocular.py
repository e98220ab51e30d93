# SPDX-License-Identifier: Apache-2.0
"""What the hybrid engine asks of a network that sees depth in a single image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from dens3r_ros.engines.protocol import Placement
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics


@dataclass(frozen=True)
class MonocularInfo:
    """What such a network is and gives."""

    name: str
    model: str
    model_hash: str
    metric: bool
    """Whether its depths are metres; otherwise every image has a unit of its own."""
    scale_error: float
    """Standard deviation of the logarithm of one image's scale, where it is metric."""
    normals: bool
    device: str


@dataclass(frozen=True, eq=False)
class MonocularPrediction:
    """One image as the network sees it, on the pixels of `placement` (upright).

    depth           (h, w) float32 along the optical axis, above 0 where known
    relative_error  (h, w) float32: expected standard deviation of the logarithm of the depth's
                    shape, its scale aside; infinite where nothing is known
    normals         (h, w, 3) float32 unit vectors in the optical frame, facing the camera
    intrinsics      of these pixels, where the network tells them
    """

    depth: np.ndarray
    relative_error: np.ndarray
    normals: np.ndarray | None
    intrinsics: Intrinsics | None
    placement: Placement


@runtime_checkable
class MonocularNetwork(Protocol):
    """Sees depth in one image at a time."""

    info: MonocularInfo

    def predict(self, frame: Frame) -> MonocularPrediction:
        """What one image shows; intrinsics that the frame brings may be used."""
        ...
