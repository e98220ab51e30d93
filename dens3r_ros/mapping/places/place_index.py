# SPDX-License-Identifier: Apache-2.0
"""What the mapper asks of an index of places, which can be swapped."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from dens3r_ros.mapping.places.place_descriptor import PlaceDescriptor


class PlaceIndex(Protocol):
    """Finds keyframes that look like an image; the same for every engine, deterministic."""

    def add(self, keyframe_id: int, image: np.ndarray) -> None:
        """Remember a keyframe by its (H, W, 3) uint8 RGB image."""
        ...

    def query(self, image: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Up to k (keyframe id, similarity in 0..1) of remembered keyframes, best first."""
        ...

    def alike(self, keyframe_id: int, k: int) -> list[tuple[int, float]]:
        """The same for a remembered keyframe, itself left out."""
        ...

    def remove(self, keyframe_id: int) -> None:
        """Forget a keyframe."""
        ...

    def descriptor(self, keyframe_id: int) -> PlaceDescriptor:
        """What is remembered of a keyframe."""
        ...

    def put(self, keyframe_id: int, descriptor: PlaceDescriptor) -> None:
        """Remember a keyframe by what was remembered of it before."""
        ...
