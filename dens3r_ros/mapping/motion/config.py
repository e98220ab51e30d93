# SPDX-License-Identifier: Apache-2.0
"""What can be set of moving things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MotionConfig:
    """Whether and how what moves by itself is told from what stands still."""

    enabled: bool = False
    """Tell the two apart in every image; off costs nothing."""
    masks: Literal["soft", "hard"] = "soft"
    """What moves counts for less the surer that is, or for nothing from a probability of 0.5 on."""
    width: int = 160
    """Pixels of the long side on which images are compared; 64 to 640."""
    before: float = 0.06
    """Seconds to the older image that an image is compared with, beside its keyframe; 0.03 to 2."""
    moves_from: float = 0.6
    """Probability from which on something new counts as moving; 0.3 to 0.95."""
    moves_on: float = 0.4
    """The same of what is next to it or moved before; 0.1 to 0.9."""
