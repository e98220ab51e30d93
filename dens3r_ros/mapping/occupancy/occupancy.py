# SPDX-License-Identifier: Apache-2.0
"""A floor plan that follows the map: every keyframe's share is taken out and drawn anew when its
pose or points change, and only then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dens3r_ros.mapping.occupancy.floor import find_floor
from dens3r_ros.mapping.occupancy.scan import HIT, MISS, NOTHING, GridConfig, Scan, cells_of, scan

UNKNOWN, FREE, OCCUPIED = -1, 0, 100
_POINTS = 5000
"""Points of a keyframe that are looked at, about."""
_APART = 0.15
"""Relative difference from the height at which the camera is mounted, up to which what was found
is the floor it stands on."""
_ARCHIVED = -1
"""Stands for the revision of a keyframe that changes no more."""
_GROWTH = 128
"""Cells by which the plan grows at once."""


class Seen(Protocol):
    """A keyframe with its points in the map's unit; see `KeyframeView`."""

    @property
    def id(self) -> int: ...
    @property
    def revision(self) -> int: ...
    @property
    def in_window(self) -> bool: ...
    @property
    def T_map_camera(self) -> np.ndarray: ...
    @property
    def points(self) -> np.ndarray: ...
    @property
    def confidence(self) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Plan:
    """cells (h, w) int8, row 0 at the lowest y: UNKNOWN, FREE or OCCUPIED; `resolution` metres a
    cell; `origin` (2,) metres in `map` of the outer corner of cell (0, 0)."""

    cells: np.ndarray
    resolution: float
    origin: np.ndarray


@dataclass(frozen=True, eq=False)
class _Share:
    """What a keyframe put into the plan, and of what state of it."""

    key: tuple[object, ...]
    scan: Scan


class FloorPlan:
    """Log-odds of all cells that any keyframe tells of, as a sum over keyframes."""

    def __init__(self, config: GridConfig) -> None:
        self.config = config
        self.redrawn = 0
        """Keyframes that were drawn the last time."""
        self.cut = False
        """Whether the plan would have been larger than it may be."""
        self._shares: dict[int, _Share] = {}
        self._heights: dict[int, tuple[int, float | None]] = {}
        self._low = np.zeros(2, np.int64)
        self._sum = np.zeros((0, 0), np.int16)

    @property
    def floors(self) -> int:
        """Keyframes in which the floor was found."""
        return sum(height is not None for _, height in self._heights.values())

    def draw(
        self,
        keyframes: Sequence[Seen],
        metres: float,
        min_confidence: float,
        camera_height: float | None = None,
    ) -> Plan | None:
        """The plan of keyframes whose unit is so many metres; `camera_height` (metres) is how far
        above the floor the camera is mounted, where that is known. None where no keyframe tells
        where the floor is."""
        self._find_floors(keyframes, min_confidence)
        usual = camera_height if camera_height is not None else self._usual_height(metres)
        if usual is None:
            return None
        here = {keyframe.id for keyframe in keyframes}
        for gone in [i for i in self._shares if i not in here]:
            self._take_out(gone)
            del self._heights[gone]
        self.redrawn = 0
        for keyframe in keyframes:
            self._follow(keyframe, metres, min_confidence, usual)
        return self._plan()

    def _find_floors(self, keyframes: Sequence[Seen], min_confidence: float) -> None:
        for keyframe in keyframes:
            known = self._heights.get(keyframe.id)
            # Once it is archived, its pose alone changes.
            settled = known is not None and not keyframe.in_window and known[0] == _ARCHIVED
            if not settled and (known is None or known[0] != keyframe.revision):
                up = keyframe.T_map_camera[2, :3]
                floor = find_floor(keyframe.points, keyframe.confidence, up, min_confidence)
                height = None if floor is None else floor.height
                state = keyframe.revision if keyframe.in_window else _ARCHIVED
                self._heights[keyframe.id] = state, height

    def _usual_height(self, metres: float) -> float | None:
        found = [height for _, height in self._heights.values() if height is not None]
        return float(np.median(found)) * metres if found else None

    def _follow(self, keyframe: Seen, metres: float, min_confidence: float, usual: float) -> None:
        """Draw a keyframe if it is not drawn as it is."""
        height = self._heights[keyframe.id][1]
        above = usual if height is None else height * metres
        above = above if abs(above / usual - 1) < _APART else usual
        key = (keyframe.revision, metres, min_confidence, round(above, 2))
        known = self._shares.get(keyframe.id)
        if known is not None and known.key == key:
            return
        self._take_out(keyframe.id)
        seen = _seen(keyframe, metres, min_confidence, above, self.config)
        self._shares[keyframe.id] = _Share(key, self._added(seen))
        self.redrawn += 1

    def _take_out(self, keyframe_id: int) -> None:
        share = self._shares.pop(keyframe_id, None)
        if share is not None and len(share.scan.cells):
            x, y = (cells_of(share.scan.cells) - self._low).T
            self._sum[y, x] -= share.scan.change

    def _added(self, seen: Scan) -> Scan:
        """Put a scan in; what of it has room."""
        if not len(seen.cells):
            return seen
        cells = cells_of(seen.cells)
        self._make_room(cells.min(0), cells.max(0))
        at = cells - self._low
        fits = ((at >= 0) & (at < self._sum.shape[::-1])).all(1)
        self.cut |= not fits.all()
        x, y = at[fits].T
        self._sum[y, x] += seen.change[fits]
        return Scan(seen.cells[fits], seen.change[fits])

    def _make_room(self, low: np.ndarray, high: np.ndarray) -> None:
        """Let the plan reach from `low` to `high` (2,), as far as it may."""
        size = np.array(self._sum.shape[::-1])
        if not size.all():
            self._low, size = low.copy(), np.zeros(2, np.int64)
        ends = self._low + size
        most = int(self.config.max_side / self.config.resolution)
        lower = np.where(low < self._low, low - _GROWTH, self._low)
        upper = np.where(high >= ends, high + 1 + _GROWTH, ends)
        lower = np.maximum(lower, np.minimum(self._low, ends - most))
        upper = np.minimum(upper, lower + most)
        if (lower == self._low).all() and (upper == ends).all():
            return
        larger = np.zeros((upper - lower)[::-1], np.int16)
        x, y = self._low - lower
        larger[y : y + size[1], x : x + size[0]] = self._sum
        self._low, self._sum = lower, larger

    def _plan(self) -> Plan:
        """Cut to what is known."""
        known = self._sum != 0
        rows, columns = np.flatnonzero(known.any(1)), np.flatnonzero(known.any(0))
        if not len(rows):
            return Plan(np.zeros((0, 0), np.int8), self.config.resolution, np.zeros(2))
        top, left = rows[0], columns[0]
        part = self._sum[top : rows[-1] + 1, left : columns[-1] + 1]
        cells = np.full(part.shape, UNKNOWN, np.int8)
        cells[part <= MISS] = FREE
        cells[part >= HIT] = OCCUPIED
        origin = (self._low + np.array((left, top))) * self.config.resolution
        return Plan(cells, self.config.resolution, origin)


def _seen(
    keyframe: Seen, metres: float, min_confidence: float, above: float, config: GridConfig
) -> Scan:
    """A keyframe's scan in metres, with the floor so far below it."""
    points, confidence = keyframe.points, keyframe.confidence
    step = max(int(np.sqrt(confidence.size / _POINTS)), 1)
    points, confidence = points[::step, ::step], confidence[::step, ::step]
    known = np.isfinite(points[..., 0] + points[..., 1] + points[..., 2])
    good = (confidence >= min_confidence) & known & (points[..., 2] > 0)
    if not good.any():
        return NOTHING
    T = keyframe.T_map_camera
    camera = T[:3, 3] * metres
    placed = points[good] @ T[:3, :3].T * metres + camera
    return scan(placed, camera, camera[2] - above, config)
