# SPDX-License-Identifier: Apache-2.0
"""The floor plan of ~/occupancy, in `map`, by REP-105 and the costmap's rules, and its messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from nav_msgs.msg import OccupancyGrid
from std_msgs.msg import Header

from dens3r_ros.mapping.occupancy.change import PlanChange
from dens3r_ros.mapping.occupancy.occupancy import FloorPlan, Plan
from dens3r_ros.mapping.occupancy.scan import GridConfig
from dens3r_ros.mapping.update import KeyframeView
from dens3r_ros.nodes.messages import interfaces
from dens3r_ros.nodes.settings.config import GridParameters


def grid_config(grid: GridParameters) -> GridConfig:
    """The node's parameters as the plan's configuration."""
    return GridConfig(
        grid.resolution, grid.min_height, grid.max_height, grid.max_range, grid.max_side
    )


class Occupancy:
    """Keeps the plan of one epoch; a new one begins with an empty plan."""

    def __init__(self) -> None:
        self._plan: FloorPlan | None = None
        self._drawn_for: tuple[object, ...] = ()
        self.missing = ""
        """Why there is no plan, in a sentence; empty where there is one."""

    def plan(
        self,
        keyframes: Sequence[KeyframeView],
        metres: float,
        min_confidence: float,
        camera_height: float | None,
        config: GridConfig,
        epoch: int,
    ) -> Plan:
        """The plan of keyframes whose unit is so many metres; empty while nothing tells where the
        floor is."""
        state = (epoch, config)
        if self._plan is None or self._drawn_for != state:
            self._plan, self._drawn_for = FloorPlan(config), state
        plan = self._plan.draw(keyframes, metres, min_confidence, camera_height)
        self.missing = ""
        if plan is None:
            self.missing = (
                "no floor is seen, and neither frames.base nor input.camera_height tells how far "
                "below the camera it is"
            )
            return Plan(np.zeros((0, 0), np.int8), config.resolution, np.zeros(2))
        if self._plan.cut:
            self.missing = f"what lies beyond grid.max_side ({config.max_side:g} m) is left out"
        return plan


def grid_message(plan: Plan, header: Header) -> OccupancyGrid:
    """The plan as a message; row 0 is at the lowest y, -1 unknown, 0 free, 100 occupied."""
    message = OccupancyGrid(header=header)
    message.info.map_load_time = message.header.stamp
    message.info.resolution = plan.resolution
    message.info.height, message.info.width = plan.cells.shape
    x, y = plan.origin.tolist()
    message.info.origin.position.x, message.info.origin.position.y = x, y
    message.info.origin.orientation.w = 1.0
    message.data.frombytes(np.ascontiguousarray(plan.cells).tobytes())
    return message


def update_message(change: PlanChange, header: Header) -> Any:
    """What has changed as a message; where the last whole plan has it."""
    message = interfaces.map_messages.OccupancyGridUpdate(header=header, x=change.x, y=change.y)
    message.height, message.width = change.cells.shape
    message.data.frombytes(np.ascontiguousarray(change.cells).tobytes())
    return message
