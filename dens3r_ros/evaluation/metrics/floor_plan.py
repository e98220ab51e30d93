# SPDX-License-Identifier: Apache-2.0
"""What stands where in a procedural hall, from its shapes, and how well a floor plan says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation

from dens3r_ros.mapping.occupancy.occupancy import FREE, OCCUPIED, Plan
from dens3r_ros.scenes.rays.intersect import BOX, CYLINDER, ELLIPSOID
from dens3r_ros.scenes.worlds.building import HALL, Building

_ACROSS = 4
"""Places within a cell, each way, at which it is looked for things."""


def filled(building: Building, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(Y, X) whether any shape is at x (X,), y (Y,) and any of the heights z (Z,)."""
    shapes = building.worlds.shapes
    found = np.zeros((len(y), len(x)), bool)
    for kind in (BOX, ELLIPSOID, CYLINDER):
        for slot in range(*shapes.slots(kind).indices(shapes.active.shape[1])):
            if bool(shapes.active[0, slot]):
                R, half = shapes.rotation[0, slot].numpy(), shapes.half[0, slot].numpy()
                _fill(
                    found, kind, shapes.centre[0, slot].numpy(), R, np.maximum(half, 0.02), x, y, z
                )
    return found


def _fill(
    found: np.ndarray,
    kind: int,
    centre: np.ndarray,
    R: np.ndarray,
    half: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
) -> None:
    """Add one shape, looked for within its own bounds."""
    reach = np.abs(R) @ half
    spans = [
        slice(*np.searchsorted(axis, (middle - far, middle + far)))
        for axis, middle, far in zip((x, y, z), centre, reach, strict=True)
    ]
    grid = np.stack(np.meshgrid(x[spans[0]], y[spans[1]], z[spans[2]]), -1)
    own = (grid - centre) @ R / half
    if kind == BOX:
        inside = (np.abs(own) <= 1).all(-1)
    elif kind == ELLIPSOID:
        inside = (own**2).sum(-1) <= 1
    else:
        inside = ((own[..., :2] ** 2).sum(-1) <= 1) & (np.abs(own[..., 2]) <= 1)
    found[spans[1], spans[0]] |= inside.any(-1)


@dataclass(frozen=True, eq=False)
class TruePlan:
    """occupied, free (h, w) of the hall's cells, and those occupied ones that a free one touches;
    cell (0, 0) has its corner at `origin`."""

    occupied: np.ndarray
    edge: np.ndarray
    free: np.ndarray
    origin: np.ndarray


def true_plan(building: Building, resolution: float, low: float, high: float) -> TruePlan:
    """Of what stands between two heights above the floor."""
    margin = 0.4
    origin = np.array([-HALL[0] / 2 - margin, -HALL[1] / 2 - margin])
    size = np.ceil((np.array(HALL[:2]) + 2 * margin) / resolution).astype(int)
    x, y = ((np.arange(n * _ACROSS) + 0.5) / _ACROSS * resolution for n in size)
    heights = np.arange(low + 0.02, high, 0.04)
    inside = filled(building, x + origin[0], y + origin[1], heights)
    parts = inside.reshape(size[1], _ACROSS, size[0], _ACROSS)
    any_thing = np.asarray(parts.any((1, 3)))
    indoors = np.zeros(any_thing.shape, bool)
    edge = round(margin / resolution)
    indoors[edge:-edge, edge:-edge] = True
    free = ~any_thing & indoors
    return TruePlan(any_thing, any_thing & binary_dilation(free), free, origin)


@dataclass(frozen=True)
class Agreement:
    """free: intersection over union of the free cells; occupied: the same of the occupied ones,
    where one cell beside counts, and of what is there only the edges have to be found, since nobody
    sees into things; inside: share of the free cells that lie within things by more
    than a cell; known: share of what is truly free of which the plan says anything."""

    free: float
    occupied: float
    inside: float
    known: float


def agreement(plan: Plan, truth: TruePlan) -> Agreement:
    """How well a plan in the hall's own frame agrees with the truth."""
    found: np.ndarray = np.full(truth.free.shape, -1, np.int8)
    shift = np.round((plan.origin - truth.origin) / plan.resolution).astype(int)
    rows, columns = np.nonzero(plan.cells >= 0)
    at_x, at_y = columns + shift[0], rows + shift[1]
    fits = (at_x >= 0) & (at_y >= 0) & (at_x < found.shape[1]) & (at_y < found.shape[0])
    found[at_y[fits], at_x[fits]] = plan.cells[rows[fits], columns[fits]]
    free, occupied = found == FREE, found == OCCUPIED
    near = np.ones((3, 3), bool)
    hit = occupied & binary_dilation(truth.occupied, near)
    missed = truth.edge & ~binary_dilation(occupied, near)
    deep = free & ~truth.free & ~binary_dilation(truth.free, near)
    return Agreement(
        float((free & truth.free).sum() / (free | truth.free).sum()),
        float(hit.sum() / (occupied.sum() + missed.sum())),
        float(deep.sum() / max(free.sum(), 1)),
        float(((found >= 0) & truth.free).sum() / truth.free.sum()),
    )
