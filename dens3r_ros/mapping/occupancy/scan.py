# SPDX-License-Identifier: Apache-2.0
"""What one keyframe says of the cells of a floor plan: hit, or looked through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HIT, MISS = 17, -8
"""Log-odds that one keyframe's look adds to a cell, in twentieths: 0.7 and 0.4 as probabilities."""
_REACH = 1 << 20
_BINS = 512
"""Directions around the camera."""
_LOW, _LOW_SHARE = 0.2, 0.15
"""Metres, and share of the camera's height, above the floor: a ray tells that a cell is free where
it passes lower than the larger of these; higher ones would pass above a bench."""


@dataclass(frozen=True)
class GridConfig:
    """What a floor plan is drawn of."""

    resolution: float = 0.05
    """Side of a cell in metres; 0.01 to 1."""
    min_height: float = 0.1
    """Metres above the floor below which nothing is in the way; 0 to 5."""
    max_height: float = 1.5
    """Metres above the floor above which nothing is in the way; 0.05 to 20."""
    max_range: float = 6.0
    """Metres from the camera beyond which what is seen does not count; 0.5 to 100."""
    max_side: float = 100.0
    """Metres, each way, that a plan may measure; bounds memory; 5 to 1000."""


@dataclass(frozen=True, eq=False)
class Scan:
    """One keyframe's look: cells (N,), each once, as `cell_keys` numbers them, and what it adds to
    the log-odds of each, (N,) int16."""

    cells: np.ndarray
    change: np.ndarray


NOTHING = Scan(np.zeros(0, np.int64), np.zeros(0, np.int16))


def cell_keys(cells: np.ndarray) -> np.ndarray:
    """(N,) int64 from (N, 2) whole numbers x, y."""
    return ((cells[:, 1] + _REACH) << 21) | (cells[:, 0] + _REACH)


def cells_of(keys: np.ndarray) -> np.ndarray:
    """The inverse of `cell_keys`."""
    return np.stack(((keys & ((1 << 21) - 1)) - _REACH, (keys >> 21) - _REACH), -1)


def scan(points: np.ndarray, camera: np.ndarray, floor: float, config: GridConfig) -> Scan:
    """Of confident points (N, 3) in `map`, metres, seen from `camera` (3,), with the floor at
    `floor` metres."""
    away = points[:, :2] - camera[:2]
    distance = np.hypot(away[:, 0], away[:, 1])
    height = points[:, 2] - floor
    near = (distance < config.max_range) & (distance > 1e-3)
    in_way = near & (height > config.min_height) & (height < config.max_height)
    ground = near & (np.abs(height) <= config.min_height)
    hits = np.unique(cell_keys(_cells(points[in_way], config)))
    profile = _Profile(away, distance, height, in_way, camera[2] - floor, config)
    free = np.union1d(
        _looked_through(profile, camera, config), cell_keys(_cells(points[ground], config))
    )
    free = np.setdiff1d(free, hits, assume_unique=True)
    change = np.concatenate((np.full(len(hits), HIT), np.full(len(free), MISS)))
    return Scan(np.concatenate((hits, free)), change.astype(np.int16))


def _cells(points: np.ndarray, config: GridConfig) -> np.ndarray:
    return np.floor(points[:, :2] / config.resolution).astype(np.int64)


class _Profile:
    """For every direction: from where on rays are low enough to tell of things in the way, how far
    they go, and where the first thing is; metres from the camera (B,), on the level."""

    def __init__(
        self,
        away: np.ndarray,
        distance: np.ndarray,
        height: np.ndarray,
        in_way: np.ndarray,
        camera_height: float,
        config: GridConfig,
    ) -> None:
        bins = _bins(away[:, 0], away[:, 1])
        self.first = np.full(_BINS, np.inf)
        np.minimum.at(self.first, bins[in_way], distance[in_way])
        begins, ends = _within_band(distance, height, camera_height, config)
        told = ends > begins
        self.begins, self.ends = np.full(_BINS, np.inf), np.zeros(_BINS)
        np.minimum.at(self.begins, bins[told], begins[told])
        np.maximum.at(self.ends, bins[told], ends[told])
        self.ends = np.minimum(self.ends, config.max_range)


def _bins(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which of the directions each x, y lies in."""
    share = np.arctan2(y, x) * np.float32(0.5 / np.pi) + np.float32(0.5)
    return np.minimum((share * _BINS).astype(np.int32), _BINS - 1)


def _within_band(
    distance: np.ndarray, height: np.ndarray, camera_height: float, config: GridConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Between which distances each ray runs low above the floor."""
    rise = height - camera_height
    slope = np.where(np.abs(rise) < 1e-6, 1e-6, rise)
    at_low = (config.min_height - camera_height) / slope * distance
    low = min(max(_LOW, _LOW_SHARE * camera_height), config.max_height)
    at_high = (low - camera_height) / slope * distance
    enters, leaves = np.minimum(at_low, at_high), np.maximum(at_low, at_high)
    return np.maximum(enters, 0.0), np.minimum(leaves, distance)


def _looked_through(profile: _Profile, camera: np.ndarray, config: GridConfig) -> np.ndarray:
    """Keys of the cells before the first thing in each direction."""
    side, here = config.resolution, camera[:2]
    until = np.minimum(profile.ends, profile.first - side)
    told = until > profile.begins
    if not told.any():
        return np.zeros(0, np.int64)
    low, high = _corners(profile.begins[told], until[told], np.flatnonzero(told))
    low = np.floor((here + low) / side).astype(int) - 1
    high = np.floor((here + high) / side).astype(int) + 2
    x, y = (np.arange(low[i], high[i]) for i in (0, 1))
    along = ((x + 0.5) * side - here[0]).astype(np.float32)
    across = ((y + 0.5) * side - here[1]).astype(np.float32)[:, None]
    distance = np.sqrt(along**2 + across**2)
    bins = _bins(along, across)
    free = (distance >= profile.begins[bins]) & (distance <= until[bins])
    rows, columns = np.nonzero(free)
    return cell_keys(np.stack((x[columns], y[rows]), -1))


def _corners(begins: np.ndarray, ends: np.ndarray, bins: np.ndarray) -> tuple[np.ndarray, ...]:
    """The lowest and the highest x, y (2,) beside the camera of rays in these directions, each from
    where it begins to where it ends: what lies behind the camera need not be looked at."""
    edges = (np.stack((bins, bins + 1)) / _BINS - 0.5) * (2 * np.pi)
    ways = np.stack((np.cos(edges), np.sin(edges)), -1)
    both = np.concatenate((ways * begins[:, None], ways * ends[:, None])).reshape(-1, 2)
    return both.min(0), both.max(0)
