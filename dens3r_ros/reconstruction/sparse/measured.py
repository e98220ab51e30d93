# SPDX-License-Identifier: Apache-2.0
"""What the comparison of two photos says of their cameras, and of points that both show.

Anchors are pixels of a photo, by number, whose depth is wanted; all pairs of a photo share them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics


@dataclass(frozen=True, eq=False)
class AnchorSightings:
    """Anchors (M,) of photo `anchor` as photo `other` sees them, at pixels `there` (M, 2)."""

    anchor: int
    other: int
    ids: np.ndarray
    there: np.ndarray


@dataclass(frozen=True, eq=False)
class Depths:
    """Depth (K,) of anchors (K,) of a photo, in the unit of the pair that it comes from."""

    ids: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class MeasuredPair:
    """One comparison of photos a and b, in a unit of its own.

    T_a_b (4, 4) takes points of b to a; `support` matches agree with it; where `shifted` is false
    the photos were taken from about one place, and only the rotation is known. `seen` tells what a
    sees of b's anchors, then what b sees of a's.
    """

    a: int
    b: int
    T_a_b: np.ndarray
    support: int
    shifted: bool
    depth_a: Depths
    depth_b: Depths
    seen: tuple[AnchorSightings, ...]

    def depth_of(self, photo: int) -> Depths:
        """Of the one or the other photo."""
        return self.depth_a if photo == self.a else self.depth_b


@dataclass(frozen=True, eq=False)
class PhotoCamera:
    """A photo's lens as it is believed before the solve: `group` names the photos that share it,
    `spread` is the standard deviation of the logarithm of the focal length, 0 where it is known."""

    lens: Intrinsics
    group: int
    spread: float


@dataclass(frozen=True, eq=False)
class Collection:
    """All that was measured: cameras by photo, anchors' pixels (A, 2) by photo, comparisons;
    `metric` where lengths are metres."""

    cameras: Mapping[int, PhotoCamera]
    anchors: Mapping[int, np.ndarray]
    measured: Sequence[MeasuredPair]
    metric: bool = False
