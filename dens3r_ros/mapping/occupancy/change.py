# SPDX-License-Identifier: Apache-2.0
"""What of a floor plan is another than it was, for those who have the earlier one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dens3r_ros.mapping.occupancy.occupancy import UNKNOWN, Plan


@dataclass(frozen=True, eq=False)
class PlanChange:
    """cells (h, w) int8 that take the place of a plan's own from row `y` and column `x` on."""

    x: int
    y: int
    cells: np.ndarray

    def applied(self, plan: Plan) -> Plan:
        """The earlier plan with it."""
        cells = plan.cells.copy()
        height, width = self.cells.shape
        cells[self.y : self.y + height, self.x : self.x + width] = self.cells
        return replace(plan, cells=cells)


def change_of(before: Plan, after: Plan) -> PlanChange | None:
    """The least rectangle that makes one plan the other, empty where they are the same; None where
    the later one has known cells beyond the earlier one's bounds, or cells that lie otherwise."""
    moved = (after.origin - before.origin) / before.resolution
    x, y = np.round(moved).astype(int).tolist()
    (height, width), (rows, columns) = before.cells.shape, after.cells.shape
    shifted = np.abs(moved - (x, y)).max() > 1e-3
    if after.resolution != before.resolution or shifted or min(x, y) < 0:
        return None
    if y + rows > height or x + columns > width:
        return None
    cells = np.full_like(before.cells, UNKNOWN)
    cells[y : y + rows, x : x + columns] = after.cells
    other = cells != before.cells
    within = np.flatnonzero(other.any(1)), np.flatnonzero(other.any(0))
    if not len(within[0]):
        return PlanChange(0, 0, cells[:0, :0])
    (top, bottom), (left, right) = ((int(side[0]), int(side[-1]) + 1) for side in within)
    return PlanChange(left, top, cells[top:bottom, left:right])
