# SPDX-License-Identifier: Apache-2.0
"""What the mapper asks of a place descriptor, whatever it is made of."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class PlaceIndex(Protocol):
    """Finds keyframes that look like an image; the same for every engine, deterministic."""

    def add(self, keyframe_id: int, image: np.ndarray) -> None:
        """Remember a keyframe by its (H, W, 3) uint8 RGB image."""
        ...

    def query(self, image: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Up to k (keyframe id, similarity in 0..1) of remembered keyframes, best first."""
        ...

    def remove(self, keyframe_id: int) -> None:
        """Forget a keyframe."""
        ...
