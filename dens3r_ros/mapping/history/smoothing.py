# SPDX-License-Identifier: Apache-2.0
"""Poses of the frames that were tracked against one keyframe, once all of them are known.

What an engine's pairs err by changes from frame to frame, what images err by grows slowly with the
way from the keyframe. The frames together therefore tell how far the images were off, and with that
every one of them lies better than it did when it came.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dens3r_ros.geometry import tangents
from dens3r_ros.mapping.tracking.agreement import Difference, swing
from dens3r_ros.mapping.tracking.tracker import Track

MOST_FRAMES = 64
"""Frames that are smoothed together; a camera that stands still may see one keyframe for hours."""
_REACH = 0.4
"""Radians by which the view swings while the images' error grows to what it can be."""
_CONTRADICTION = 9.0
"""Mean square of a whitened surprise beyond which a frame tells nothing of the images' error."""


@dataclass(frozen=True, eq=False)
class Belief:
    """A small motion in the frame's optical frame, translation first: mean (6,), covariance
    (6, 6)."""

    mean: np.ndarray = field(default_factory=lambda: np.zeros(6))
    covariance: np.ndarray = field(default_factory=lambda: np.zeros((6, 6)))


@dataclass(frozen=True, eq=False)
class _TrackedFrame:
    """A frame that both witnesses saw: T_keyframe_frame (4, 4) by the engine alone, how far the
    images were from that, and what was expected of the images' error before the frame and believed
    with it."""

    number: int
    T_by_engine: np.ndarray
    difference: Difference
    expected: Belief
    known: Belief


class Trail:
    """Frames that were tracked one after another against one keyframe, told apart by numbers."""

    def __init__(self, keyframe_id: int) -> None:
        self.keyframe_id = keyframe_id
        self._seen: list[_TrackedFrame] = []
        self._belief = Belief()
        self._T_frame_keyframe = np.eye(4)

    @property
    def full(self) -> bool:
        """Whether it has grown so long that it should be smoothed."""
        return len(self._seen) >= MOST_FRAMES

    def add(self, number: int, found: Track, depth: float) -> None:
        """One frame more, in a scene about `depth` away; one witness alone tells nothing."""
        difference = found.difference
        if difference is None:
            return
        T_frame_keyframe = np.linalg.inv(found.T_keyframe_frame)
        way = swing(T_frame_keyframe, self._T_frame_keyframe, depth)
        doubt = difference.root @ found.doubt @ difference.root.T
        grown = self._belief.covariance + difference.lasting * way / _REACH + doubt
        expected = Belief(self._belief.mean, grown)
        self._T_frame_keyframe, self._belief = T_frame_keyframe, _with(expected, difference)
        seen = _TrackedFrame(number, found.T_keyframe_pair, difference, expected, self._belief)
        self._seen.append(seen)

    def smoothed(self) -> list[tuple[int, np.ndarray]]:
        """T_keyframe_frame of the frames by their numbers, but for those that were placed by one
        witness alone; they are forgotten with that, and the next frames go on from the last."""
        poses = []
        later = expected_later = self._belief
        for seen in reversed(self._seen):
            gain = seen.known.covariance @ np.linalg.pinv(expected_later.covariance)
            mean = seen.known.mean + gain @ (later.mean - expected_later.mean)
            apart = later.covariance - expected_later.covariance
            later = Belief(mean, seen.known.covariance + gain @ apart @ gain.T)
            expected_later = seen.expected
            if seen.known is not seen.expected:
                poses.append((seen.number, _placed(seen, later)))
        self._seen.clear()
        return poses[::-1]


def _with(expected: Belief, difference: Difference) -> Belief:
    """What a frame tells of the images' error, joined with what was expected of it."""
    whole = expected.covariance + difference.engine + difference.fleeting
    surprise = difference.off - expected.mean
    solved = np.linalg.solve(whole, np.column_stack((surprise, expected.covariance)))
    if surprise @ solved[:, 0] > _CONTRADICTION * len(surprise):
        return expected
    mean = expected.mean + expected.covariance @ solved[:, 0]
    return Belief(mean, expected.covariance - expected.covariance @ solved[:, 1:])


def _placed(seen: _TrackedFrame, error: Belief) -> np.ndarray:
    """T_keyframe_frame by both witnesses, given how far the images are off."""
    engine, fleeting = seen.difference.engine, seen.difference.fleeting
    share = engine @ np.linalg.inv(engine + fleeting)
    return seen.T_by_engine @ tangents.exp(-share @ (seen.difference.off - error.mean))
