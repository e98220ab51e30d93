# SPDX-License-Identifier: Apache-2.0
"""Parameters of what moves by itself."""

from __future__ import annotations

from dataclasses import dataclass

from dens3r_ros.nodes.settings.rule import setting


@dataclass(frozen=True)
class MotionParameters:
    """How things that move are told from what stands still, and what becomes of them."""

    enabled: bool = setting(
        False, "Tell what moves in every image, keep it out of poses and map, publish ~/motion."
    )
    masks: str = setting(
        "soft",
        "What moves counts less the surer that is, or with hard not at all.",
        choices=("soft", "hard"),
    )
    width: int = setting(
        160, "Long side of images compared, pixels; less is quicker.", low=64, high=640
    )
    before: float = setting(
        0.06,
        "Seconds to the older image that each is compared with, beside its keyframe.",
        low=0.03,
        high=2.0,
    )
    moves_from: float = setting(
        0.6, "Probability from which on something new counts as moving.", low=0.3, high=0.95
    )
    moves_on: float = setting(
        0.4, "The same of what is next to that or moved before.", low=0.1, high=0.9
    )
    points: str = setting(
        "left_out",
        "Points on what moves are NaN in ~/points, or marked by a field `motion`, 0 to 1.",
        choices=("left_out", "marked"),
    )
