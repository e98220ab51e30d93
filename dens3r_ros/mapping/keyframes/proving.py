# SPDX-License-Identifier: Apache-2.0
"""Whether what a map would begin with stands still: the images after it must bear it out."""

from __future__ import annotations

import numpy as np

from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.observation import Observation
from dens3r_ros.mapping.tracking.track import Track

_LONG_ENOUGH_S = 0.2
"""Seconds of images that are asked, and at least so many of them."""
_ENOUGH = 2
_IN_SIGHT = 0.3
"""Share of the keyframe that an image must show to have a say."""
_AGREE = 0.78
"""Share of what is matched that must agree on one place of each image."""
_SAME = 0.15
"""Logarithm of a depth within which two predictions tell the same."""
_SURE = 0.5
"""Confidence above 1 from which on they are compared."""
_TOLD = 0.02
"""Share of a view, summed over the images, of which depth must be told twice to have a say."""
_SAME_SHARE = 0.7
"""Share of these depths that must be the same."""


class Proving:
    """Asks images that follow whether a first keyframe, of this stamp (ns) of its second image, is
    of things that stand still: these look the same from wherever, people do not."""

    def __init__(self, keyframe: Keyframe, stamp: int) -> None:
        self.keyframe, self._stamp = keyframe, stamp
        self._asked = 0
        self._told = self._same = 0.0

    def ask(self, seen: Observation, found: Track | str, stamp: int) -> bool | None:
        """One more image, seen like that; whether the keyframe is borne out, once that is told."""
        if isinstance(found, str):
            return False
        if found.matched >= _IN_SIGHT:
            if found.inliers < _AGREE:
                return False
            self._compare(seen, found)
        self._asked += 1
        if self._asked < _ENOUGH or stamp - self._stamp < _LONG_ENOUGH_S * 1e9:
            return None
        return self._told < _TOLD or self._same >= _SAME_SHARE * self._told

    def _compare(self, seen: Observation, found: Track) -> None:
        """Depths of the pair with those of the keyframe."""
        if found.scale is None:
            return
        canonical, S = self.keyframe.canonical, found.T_keyframe_pair
        depth = found.scale * (seen.keyframe_points @ S[2, :3].astype(np.float32)) + S[2, 3]
        both = (canonical.weight > _SURE * canonical.folds) & (depth > 1e-6)
        both &= seen.keyframe_confidence > 1 + _SURE
        apart = np.abs(np.log(depth[both] / canonical.points[..., 2][both]))
        self._told += float(both.mean())
        self._same += float((apart < _SAME).sum() / both.size)
