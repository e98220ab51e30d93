# SPDX-License-Identifier: Apache-2.0
"""What every source of frames offers, whatever its frames are kept in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from dens3r_ros.frame import Frame


class SourceError(ValueError):
    """A source that cannot be read; the message says what was found and what to do."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known to be true of one frame.

    depth           (H, W) float32 metres along the optical axis, NaN where unknown
    T_world_camera  (4, 4) float64, takes points of the optical frame to the world, in metres
    normals         (H, W, 3) float32 unit vectors in the optical frame, or None where unknown
    moving          (H, W) bool, the pixel shows something that moves now, or None where unknown
    velocity        (H, W, 3) float32 metres a second of the surface in the world, along the axes of
                    the optical frame, or None where unknown
    """

    depth: np.ndarray
    T_world_camera: np.ndarray
    normals: np.ndarray | None = None
    moving: np.ndarray | None = None
    velocity: np.ndarray | None = None


@runtime_checkable
class Source(Protocol):
    """Frames in the order they were taken; each is read when it is asked for, not before."""

    name: str

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Frame:
        """The frame at `index`; IndexError past the end, so that a source can be iterated."""
        ...

    def truth(self, index: int) -> Truth | None:
        """What is known to be true of the frame at `index`; None where its pose is not known."""
        ...
