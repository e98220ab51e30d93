# SPDX-License-Identifier: Apache-2.0
"""How far guesses of one pose agree among each other, and with what all guesses together say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dens3r_ros.geometry.rotation import turn

NO_POSE = 180.0
"""Degrees by which a guess that failed counts as off."""


@dataclass(frozen=True, eq=False)
class Guesses:
    """T_a_b (4, 4) as `tried` attempts by one way found it, those that failed left out."""

    name: str
    poses: Sequence[np.ndarray]
    tried: int


@dataclass(frozen=True, eq=False)
class Judged:
    """A way's most central guess T_a_b, and in degrees how far its other guesses are from that
    (`spread`) and that is from the consensus of all ways (`bias`); the lower in sum the better."""

    name: str
    T_a_b: np.ndarray
    found: int
    tried: int
    spread: float
    bias: float

    @property
    def score(self) -> float:
        """Degrees; the lower the better."""
        return self.spread + self.bias


def pose_distance(T: np.ndarray, other: np.ndarray) -> float:
    """Degrees between rotations plus degrees between the directions of translations; the latter
    count nothing where one pose has none."""
    turned = float(np.degrees(turn(T[:3, :3].T @ other[:3, :3])))
    lengths = np.linalg.norm(T[:3, 3]) * np.linalg.norm(other[:3, 3])
    if lengths < 1e-12:
        return turned
    cosine = T[:3, 3] @ other[:3, 3] / lengths
    return turned + float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def judged(ways: Sequence[Guesses]) -> list[Judged]:
    """All ways that found a pose at all, best first."""
    every = [pose for way in ways for pose in way.poses]
    if not every:
        return []
    consensus = every[int(_distances(every).mean(1).argmin())]
    found = [_judged(way, consensus) for way in ways if way.poses]
    return sorted(found, key=lambda one: one.score)


def _judged(way: Guesses, consensus: np.ndarray) -> Judged:
    sums = _distances(way.poses).sum(1)
    middle = int(sums.argmin())
    T, failed = way.poses[middle], way.tried - len(way.poses)
    spread = (sums[middle] + NO_POSE * failed) / max(way.tried - 1, 1)
    bias = pose_distance(T, consensus)
    return Judged(way.name, T, len(way.poses), way.tried, float(spread), bias)


def _distances(poses: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([[pose_distance(one, other) for other in poses] for one in poses])
