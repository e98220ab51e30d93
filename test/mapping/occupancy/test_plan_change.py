# SPDX-License-Identifier: Apache-2.0
"""If these fail, a costmap that follows the floor plan's changes has another plan than the node."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dens3r_ros.mapping.occupancy.change import change_of
from dens3r_ros.mapping.occupancy.occupancy import UNKNOWN, Plan


def plan(rows: int = 12, columns: int = 20, x: float = -1.0, y: float = 2.0) -> Plan:
    random = np.random.RandomState(rows)
    return Plan(
        random.choice([UNKNOWN, 0, 100], (rows, columns)).astype(np.int8), 0.05, np.array([x, y])
    )


def test_the_least_rectangle_makes_one_plan_the_other() -> None:
    before = plan()
    cells = before.cells.copy()
    cells[3, 4], cells[5, 11] = cells[3, 4] ^ 1, cells[5, 11] ^ 1
    change = change_of(before, replace(before, cells=cells))
    assert (change.y, change.x, change.cells.shape) == (3, 4, (3, 8))
    assert (change.applied(before).cells == cells).all()
    assert (before.cells == plan().cells).all()


def test_a_plan_that_shrank_is_unknown_around() -> None:
    before = plan()
    inner = Plan(before.cells[2:9, 3:15], 0.05, before.origin + np.array([0.15, 0.1]))
    after = change_of(before, inner).applied(before)
    assert (after.cells[2:9, 3:15] == inner.cells).all()
    assert (np.delete(after.cells, slice(2, 9), 0) == UNKNOWN).all()


def test_nothing_changed_is_an_empty_rectangle() -> None:
    assert change_of(plan(), plan()).cells.size == 0


@pytest.mark.parametrize(
    "other",
    [
        plan(x=-1.05),
        plan(y=2.05),
        plan(rows=13),
        plan(x=-0.98),
        replace(plan(), resolution=0.1),
    ],
    ids=["to the left", "beyond the top", "larger", "between cells", "coarser"],
)
def test_what_lies_otherwise_has_to_go_out_whole(other: Plan) -> None:
    assert change_of(plan(), other) is None
