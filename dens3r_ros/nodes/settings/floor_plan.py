# SPDX-License-Identifier: Apache-2.0
"""Parameters of the floor plan."""

from __future__ import annotations

from dataclasses import dataclass

from dens3r_ros.nodes.settings.rule import setting


@dataclass(frozen=True)
class GridParameters:
    """The floor plan of ~/occupancy."""

    resolution: float = setting(0.05, "Side of a cell, metres.", low=0.01, high=1.0)
    min_height: float = setting(
        0.1, "Metres above the floor below which nothing is in the way.", low=0.0, high=5.0
    )
    max_height: float = setting(
        1.5, "The same above which nothing is: the robot's height.", low=0.05, high=20.0
    )
    max_range: float = setting(
        6.0, "Metres from the camera beyond which what is seen does not count.", low=0.5, high=100.0
    )
    max_side: float = setting(
        100.0, "Metres, each way, that the plan may measure.", low=5.0, high=1000.0
    )
