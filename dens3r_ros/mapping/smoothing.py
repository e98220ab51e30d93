# SPDX-License-Identifier: Apache-2.0
"""Poses of the frames that were tracked against one keyframe, once all of them are known.

What an engine's pairs err by changes from frame to frame, what images err by grows slowly with the
way from the keyframe. The frames together therefore tell how far the images were off, and with that
every one of them lies better than it did when it came.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dens3r_ros.mapping import tangents
from dens3r_ros.mapping.agreement import swing
from dens3r_ros.mapping.tracker import Track

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
class _Seen:
    """A frame, what was expected of the images' error there, and what was believed of it with the
    frame."""

    number: int
    found: Track
    expected: Belief
    known: Belief


class Trail:
    """Frames that were tracked one after another against one keyframe, told apart by numbers."""

    def __init__(self, keyframe_id: int) -> None:
        self.keyframe_id = keyframe_id
        self._seen: list[_Seen] = []
        self._belief = Belief()
        self._T_frame_keyframe = np.eye(4)

    @property
    def full(self) -> bool:
        """Whether it has grown so long that it should be smoothed."""
        return len(self._seen) >= MOST_FRAMES

    def add(self, number: int, found: Track, depth: float) -> None:
        """One frame more, in a scene about `depth` away."""
        T_frame_keyframe = np.linalg.inv(found.T_keyframe_frame)
        way = swing(T_frame_keyframe, self._T_frame_keyframe, depth)
        self._T_frame_keyframe = T_frame_keyframe
        expected = known = self._belief
        if found.difference is not None:
            lasting = found.difference.lasting * way / _REACH
            doubt = found.difference.root @ found.doubt @ found.difference.root.T
            expected = Belief(expected.mean, expected.covariance + lasting + doubt)
            known = _with(expected, found)
        self._belief = known
        self._seen.append(_Seen(number, found, expected, known))

    def smoothed(self) -> list[tuple[int, np.ndarray]]:
        """T_keyframe_frame of every frame by its number, but for those that were placed by one
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
                poses.append((seen.number, _placed(seen.found, later)))
        self._seen.clear()
        return poses[::-1]


def _with(expected: Belief, found: Track) -> Belief:
    """What a frame tells of the images' error, joined with what was expected of it."""
    difference = found.difference
    assert difference is not None
    whole = expected.covariance + difference.engine + difference.fleeting
    surprise = difference.off - expected.mean
    solved = np.linalg.solve(whole, np.column_stack((surprise, expected.covariance)))
    if surprise @ solved[:, 0] > _CONTRADICTION * len(surprise):
        return expected
    mean = expected.mean + expected.covariance @ solved[:, 0]
    return Belief(mean, expected.covariance - expected.covariance @ solved[:, 1:])


def _placed(found: Track, error: Belief) -> np.ndarray:
    """T_keyframe_frame by both witnesses, given how far the images are off."""
    difference = found.difference
    assert difference is not None
    share = difference.engine @ np.linalg.inv(difference.engine + difference.fleeting)
    motion = share @ (difference.off - error.mean)
    return found.T_keyframe_pair @ tangents.exp(-motion)
