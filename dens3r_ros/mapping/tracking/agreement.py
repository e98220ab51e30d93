# SPDX-License-Identifier: Apache-2.0
"""One pose from two witnesses, the engine's pair and the images, and how far to believe the images.

Where images and geometry come from different sensors, or the calibration is wrong, what is followed
on the images is consistent in itself and yet not true. It shows: the two then differ by more than
their covariances allow, and go on to differ in the same way. An engine that is merely less exact
than expected differs anew with every pair.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from dens3r_ros.geometry import tangents
from dens3r_ros.geometry.rotation import turn
from dens3r_ros.mapping.tracking.refinement import NO_DOUBT
from dens3r_ros.mapping.tracking.resection import Resection, agreed

_CONTRADICTION = 9.0
"""Mean square of the whitened difference beyond which two poses cannot both be right."""
_BELIEVED = 1.5
"""Lasting difference, as a multiple of what is expected, up to which images are believed fully."""
_PACE = 0.1
"""Share of a running mean that one frame makes up."""
_MOST = 50.0
"""A single frame counts for no more than this, so that images can be believed again."""


@dataclass(frozen=True, eq=False)
class Difference:
    """How far the images' pose lies from the engine's: `off` (6,) in the frame's optical frame,
    translation first. Covariances (6, 6): the `engine`'s, and of what the images err by anew with
    every frame (`fleeting`) and in common with the frames around it (`lasting`)."""

    off: np.ndarray
    engine: np.ndarray
    fleeting: np.ndarray
    lasting: np.ndarray

    @staticmethod
    def between(engine: Resection, image: Resection) -> Difference:
        """Of two independent solutions."""
        off = _motion(engine.T_frame_keyframe, image.T_frame_keyframe)
        return Difference(off, engine.covariance, image.covariance - image.floor, image.floor)

    @cached_property
    def root(self) -> np.ndarray:
        """(6, 6) lower triangular, of the covariance that it should have."""
        return np.linalg.cholesky(self.engine + self.fleeting + self.lasting)

    def whitened(self, off: np.ndarray) -> np.ndarray:
        """(6,) a difference in units of what is expected."""
        return np.linalg.solve(self.root, off)


def settle(
    engine: Resection, image: Resection | None, doubt: np.ndarray, expected: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """T_frame_keyframe and its covariance from both, or from one where they contradict each other
    or there is no other.

    `doubt` (6, 6) is the covariance of a bias of the images, whitened as differences are. Of two
    that contradict each other the engine is believed, unless nothing spoke against the images so
    far and theirs is nearer to where the frame was `expected` (T_frame_keyframe).
    """
    if image is None:
        return engine.T_frame_keyframe, engine.covariance
    root = Difference.between(engine, image).root
    doubted = replace(image, covariance=image.covariance + root @ doubt @ root.T)
    difference = Difference.between(engine, doubted)
    if _square(difference.whitened(difference.off)) < _CONTRADICTION:
        return agreed(engine, doubted)
    chosen = engine
    if not doubt.any():
        by_engine, by_image = (
            _square(difference.whitened(_motion(expected, one.T_frame_keyframe)))
            for one in (engine, image)
        )
        chosen = image if by_image < by_engine else engine
    return chosen.T_frame_keyframe, chosen.covariance


@dataclass(eq=False)
class ConsistencyCheck:
    """What experience tells of one camera's images: running means of the outer product of the
    whitened difference between their pose and the engine's, and of its change between frames."""

    difference: np.ndarray = field(default_factory=lambda: np.eye(6))
    change: np.ndarray = field(default_factory=lambda: np.eye(6))
    _keyframe_id: int = -1
    _last: np.ndarray | None = None

    @property
    def doubt(self) -> np.ndarray:
        """(6, 6) for `settle`: zero while the images can be believed."""
        usual = max(float(np.trace(self.change)) / 6, 1.0)
        if np.trace(self.difference) / 6 < _BELIEVED * usual:
            return NO_DOUBT
        sizes, axes = np.linalg.eigh(self.difference - usual * np.eye(6))
        return (axes * sizes.clip(0)) @ axes.T

    def add(self, keyframe_id: int, difference: Difference | None) -> None:
        """One more frame, placed against a keyframe by both; or not by both."""
        last, self._last = self._last, None
        if difference is None:
            return
        if last is not None and keyframe_id == self._keyframe_id:
            change = difference.whitened(difference.off - last) / np.sqrt(2)
            self.change = _mixed(self.change, change)
        self.difference = _mixed(self.difference, difference.whitened(difference.off))
        self._keyframe_id, self._last = keyframe_id, difference.off


def swing(T_one: np.ndarray, T_other: np.ndarray, depth: float) -> float:
    """Radians by which two poses differ about where a point lies that is `depth` away, at most."""
    T = T_one @ np.linalg.inv(T_other)
    return float(turn(T[:3, :3]) + np.linalg.norm(T[:3, 3]) / depth)


def _motion(T_from: np.ndarray, T_to: np.ndarray) -> np.ndarray:
    """(6,) small motion that takes one T_frame_keyframe to another."""
    return tangents.log(T_to @ np.linalg.inv(T_from))[:6]


def _square(whitened: np.ndarray) -> float:
    """Mean square of a component; 1 is expected."""
    return float(whitened @ whitened) / len(whitened)


def _mixed(mean: np.ndarray, whitened: np.ndarray) -> np.ndarray:
    """A running mean of outer products with one more."""
    part = min(1.0, _MOST / max(_square(whitened), 1e-9)) * np.outer(whitened, whitened)
    return mean + _PACE * (part - mean)
