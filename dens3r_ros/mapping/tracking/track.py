# SPDX-License-Identifier: Apache-2.0
"""What tracking finds: where a frame lies against its keyframe, and from what that was found."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dens3r_ros.mapping.tracking.agreement import Difference
from dens3r_ros.mapping.tracking.depth.fusion import Canonical
from dens3r_ros.mapping.tracking.refinement import NO_DOUBT
from dens3r_ros.mapping.tracking.resection import RayMatches


@dataclass(frozen=True, eq=False)
class Sightings:
    """Keyframe pixels (N, 2) int, and the unit rays (N, 3) on which the frame sees them; weights
    (N,); sigma: a sighting's expected error in radians. With them a pose can be solved again once
    the keyframe's points are better known."""

    pixels: np.ndarray
    rays: np.ndarray
    weights: np.ndarray
    sigma: float

    def matches(self, canonical: Canonical) -> RayMatches:
        """With the keyframe's points as they are now."""
        x, y = self.pixels.T
        points = canonical.points[y, x].astype(np.float64)
        return RayMatches(points, self.rays, self.weights)


@dataclass(frozen=True, eq=False)
class Track:
    """A frame's place.

    T_keyframe_frame (4, 4) rigid, in the keyframe's length unit; T_keyframe_pair the pose that
    the prediction itself has, used to fold it; scale: length of the pair's unit in the
    keyframe's, None where the pair tells no depth; matched: share of the keyframe still seen;
    parallax: median angle in radians between the two views' rays; by_engine, by_image: what the
    pose was found from; doubt: of the images, see `agreement.settle`; difference: how far those two
    were apart, where there were two; shape: sightings by which the keyframe can be straightened;
    views: how many the engine looked at together.
    """

    T_keyframe_frame: np.ndarray
    T_keyframe_pair: np.ndarray
    scale: float | None
    covariance: np.ndarray
    matched: float
    inliers: float
    parallax: float
    by_engine: Sightings
    by_image: Sightings | None
    doubt: np.ndarray = field(default_factory=lambda: NO_DOUBT)
    difference: Difference | None = None
    shape: Sightings | None = None
    views: int = 2

    @property
    def agreeing(self) -> float:
        """Share of the keyframe that is still seen where the frame's place puts it."""
        return self.matched * self.inliers
