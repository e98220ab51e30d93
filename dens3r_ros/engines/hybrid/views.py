# SPDX-License-Identifier: Apache-2.0
"""Two views together: where they stand, and the depth of each, both in the unit of b's network."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from dens3r_ros.engines.geometric.correspondence import Correspondence, correspond
from dens3r_ros.engines.geometric.depth import InverseDepth
from dens3r_ros.engines.geometric.motion import motion_between
from dens3r_ros.engines.geometric.pair import correspondences, depth_of_a, depth_of_b
from dens3r_ros.engines.geometric.smoothing.local_planes import local_planes
from dens3r_ros.engines.geometric.view import view_normals
from dens3r_ros.engines.hybrid.alone import Alone, Encoded
from dens3r_ros.engines.hybrid.fitting import Fit, fit
from dens3r_ros.engines.hybrid.joining import Joined, by_network, join
from dens3r_ros.engines.hybrid.lens import ToldLens
from dens3r_ros.engines.hybrid.placing import (
    CLEAR_AGREEMENT,
    Tracks,
    meets,
    place,
    relative_unit,
    strayed,
)
from dens3r_ros.engines.hybrid.trust import MeasuredError
from dens3r_ros.geometry.two_views.flow import TwoWayFlow, likeness
from dens3r_ros.geometry.two_views.motion_fit import FocalGuess
from dens3r_ros.geometry.two_views.two_view import Cameras
from dens3r_ros.geometry.two_views.two_view_focal import assumed_cameras, cameras_of_focal
from dens3r_ros.geometry.two_views.two_view_search import Likeliest

_ALIKE = 0.3
_STRAYED_PIXELS = 3.0


@dataclass(frozen=True, eq=False)
class Standing:
    """T_a_b (4, 4) in the unit of b's network; fitted: how that was brought to what is
    triangulated, None without parallax."""

    T_a_b: np.ndarray
    fitted: Fit | None


@dataclass(frozen=True)
class Learned:
    """What earlier images told of the network."""

    lens: ToldLens = field(default_factory=ToldLens)
    error: MeasuredError = field(default_factory=MeasuredError)


class PairViews:
    """A pair (a, b); everything is made when first read, so that a network runs only for a view
    whose depth is wanted. `cameras` are None where neither is known."""

    def __init__(
        self, a: Encoded, b: Encoded, cameras: Cameras | None, metric: bool, learned: Learned
    ) -> None:
        self.a, self.b = a, b
        self._lens, self._trust = learned.lens, learned.error
        self._known = cameras
        self._metric = metric

    @cached_property
    def flow(self) -> TwoWayFlow:
        """Where pixels of each lie in the other."""
        return self._matched.flow

    @cached_property
    def alike_b(self) -> np.ndarray:
        """(H, W) bool: which pixels of b lead to something that looks like them; flow across bare
        walls comes back to itself wherever it goes."""
        found = likeness(self.b.image.grey, self.a.image.grey, self.flow.backward)
        return found > _ALIKE

    @cached_property
    def _matched(self) -> Correspondence:
        if self.a is self.b:
            return _rest(self.a.image.grey.shape)
        return correspond(self.a.image, self.b.image, self._known, shifts=True)

    @cached_property
    def _motion(self) -> Likeliest | None:
        if self.a is self.b:
            return None
        size = self.a.image.grey.shape
        guess = None if self._known else self._guess
        return motion_between(self._matched, self._known, size, guess)

    @cached_property
    def _guess(self) -> FocalGuess | None:
        """By both views, whose lens nobody knows: the network runs on them now. Whether somebody
        looks at other frames, for which it runs as well, is not to change what follows."""
        for view in (self.a, self.b):
            self._lens.ask(view)
        return self._lens.guess(self.a.image.grey.shape)

    @property
    def _tracks(self) -> Tracks:
        found = self._matched
        return Tracks(found.pixels_a, found.pixels_b, found.keypoints, found.flow.agreement)

    @cached_property
    def cameras(self) -> Cameras:
        """Given; else as the motion tells, or a network."""
        if self._known is not None:
            return self._known
        if self._motion is not None:
            return self._motion.view.K_a, self._motion.view.K_b
        size, told = self.a.image.grey.shape, self._guess
        return cameras_of_focal(told.focal, size) if told else assumed_cameras(size)

    @cached_property
    def standing(self) -> Standing | None:
        """By parallax where there is any, else by the network's points; None if neither tells."""
        if self.a is self.b:
            return Standing(np.eye(4), None)
        fitted = self._fitted_b
        if self._motion is not None and fitted is not None:
            T_a_b = np.linalg.inv(self._motion.view.T_b_a)
            T_a_b[:3, 3] *= fitted.scale
            if self._trust.broken or self._supported(T_a_b):
                return Standing(T_a_b, fitted)
        placed = place(self._tracks, self._alone_b, self.cameras)
        return None if placed is None else Standing(placed, None)

    def _supported(self, T_a_b: np.ndarray) -> bool:
        met = meets(self._tracks, self._alone_b, self.cameras, T_a_b)
        return self._tracks.support(met)

    @cached_property
    def correspondences(self) -> tuple[np.ndarray, np.ndarray]:
        """Where b's pixels lie in a, and the confidence of that: none of what strays from its
        epipolar line, and, where little of the images agrees, of what contradicts the network's
        depth; of a pair that nothing supports it is none at all."""
        landed, confidence = correspondences(self.flow, self._motion)
        clear = self.a is self.b or self.flow.agreement > CLEAR_AGREEMENT
        if clear or self._trust.broken:
            return landed, confidence
        if self.standing is None:
            return landed, np.ones_like(confidence)
        y, x = np.indices(confidence.shape)
        matches = np.column_stack([x.ravel(), y.ravel()]), landed.reshape(-1, 2)
        off = strayed(*matches, self._alone_b, self.cameras, self.standing.T_a_b)
        off = off.reshape(confidence.shape)
        return landed, np.where(off < _STRAYED_PIXELS, confidence, np.float32(1))

    @cached_property
    def depth_b(self) -> Joined:
        """Of b."""
        if self.standing is None or self.standing.fitted is None or self._motion is None:
            return by_network(self._alone_b, 1.0)
        fitted = self.standing.fitted
        return join(self._triangulated_b, self._alone_b, fitted, fitted.scale)

    @cached_property
    def depth_a(self) -> Joined:
        """Of a."""
        if self.a is self.b or self.standing is None:
            return by_network(self._alone_a, 1.0)
        if self.standing.fitted is not None and self._motion is not None:
            triangulated = depth_of_a(self.a.image, self.flow, self._motion)
            fitted = fit(triangulated, self._alone_a, self._metric)
            if fitted is not None and fitted.sound:
                return join(triangulated, self._alone_a, fitted, self.standing.fitted.scale)
        unit = relative_unit(
            self._tracks,
            self._alone_a,
            self.depth_b.inverse,
            self.cameras[1],
            self.standing.T_a_b,
        )
        return by_network(self._alone_a, unit or 1.0)

    def normals(self, view: str) -> np.ndarray:
        """(H, W, 3) float32 in the view's own optical frame: the network's, else of planes through
        the depth around."""
        encoded, K = (self.a, self.cameras[0]) if view == "a" else (self.b, self.cameras[1])
        if encoded.alone.normals is not None:
            return encoded.alone.normals
        joined = self.depth_a if view == "a" else self.depth_b
        weight = 1 / (joined.error * joined.inverse) ** 2
        planes = local_planes(joined.inverse, weight, encoded.image.smoothing)
        return view_normals(planes, K, joined.inverse.shape)

    @cached_property
    def _alone_a(self) -> Alone:
        """What the network sees in a, as sure as it is known to be."""
        return self._trust.judged(self.a.alone)

    @cached_property
    def _alone_b(self) -> Alone:
        """The same of b."""
        return self._trust.judged(self.b.alone)

    @cached_property
    def _fitted_b(self) -> Fit | None:
        if self._motion is None:
            return None
        if self.flow.agreement > CLEAR_AGREEMENT:
            self._trust.measured(fit(self._triangulated_b, self.b.alone, self._metric))
        fitted = fit(self._triangulated_b, self._alone_b, self._metric)
        return fitted if fitted and fitted.sound else None

    @cached_property
    def _triangulated_b(self) -> InverseDepth:
        assert self._motion is not None
        return depth_of_b(self.b.image, self.flow, self._motion)


def _rest(size: tuple[int, int]) -> Correspondence:
    """Of an image to itself."""
    still, none = np.zeros((*size, 2), np.float32), np.zeros(size, np.float32)
    flow = TwoWayFlow(still, still, none, none)
    return Correspondence(flow, np.empty((0, 2)), np.empty((0, 2)), 0, None)
