# SPDX-License-Identifier: Apache-2.0
"""The contract of whatever tells relative poses of pairs of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dens3r_ros.engines.protocol import Features
from dens3r_ros.frame import Frame


@dataclass(frozen=True, eq=False)
class RelativePose:
    """Camera b as a sees it.

    T_a_b (4, 4) takes points of b to a; of its translation only the direction means something, and
    `shifted` tells whether that does.
    """

    T_a_b: np.ndarray
    shifted: bool = True


class RelativePoser(Protocol):
    """Encodes an image once, and tells how two stand to each other."""

    name: str
    needs_lens: bool
    """Whether images of unknown lenses tell less, and all must have one shape."""

    def encode(self, frames: Sequence[Frame]) -> list[Features]:
        """Encode each frame, once."""
        ...

    def relative(self, a: Features, b: Features) -> RelativePose | None:
        """How b stands to a; None where they do not show the same."""
        ...
