# SPDX-License-Identifier: Apache-2.0
"""The keyframes that are live, and how a frame becomes one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from dens3r_ros.geometry.rotation import turn
from dens3r_ros.mapping.config import KeyframeConfig
from dens3r_ros.mapping.graph.graph import PoseGraph
from dens3r_ros.mapping.keyframes.linking import expected_overlap
from dens3r_ros.mapping.motion.weights import much_moves
from dens3r_ros.mapping.step import Step
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.track import Track

_PATIENCE = 0.5
"""Share of what is to be seen of a keyframe that is enough for a while."""
_LEAP = 0.6
"""Share of what the frame before saw of a keyframe below which the camera went too far at once."""
_DOUBTFUL = 3.0
"""How many times less sure of its direction than the frame before a frame is that strays."""


class Window:
    """A bounded set of keyframes, the least lately used leaving first."""

    def __init__(self, most: int, leave: Callable[[Keyframe], None]) -> None:
        self._most = most
        self._leave = leave
        self._keyframes: dict[int, Keyframe] = {}

    def __len__(self) -> int:
        return len(self._keyframes)

    def __iter__(self) -> Iterator[Keyframe]:
        return iter(list(self._keyframes.values()))

    def __contains__(self, keyframe_id: object) -> bool:
        return keyframe_id in self._keyframes

    def __getitem__(self, keyframe_id: int) -> Keyframe:
        return self._keyframes[keyframe_id]

    def add(self, keyframe: Keyframe) -> None:
        """Take a keyframe in, and let the least lately used go where there are too many."""
        self._keyframes[keyframe.id] = keyframe
        while len(self._keyframes) > self._most:
            oldest = next(iter(self._keyframes))
            self._leave(self._keyframes.pop(oldest))

    def use(self, keyframe_id: int) -> Keyframe:
        """The keyframe, which counts as used now."""
        self._keyframes[keyframe_id] = self._keyframes.pop(keyframe_id)
        return self._keyframes[keyframe_id]

    def latest(self) -> Keyframe | None:
        """The one that was used last."""
        return next(reversed(self._keyframes.values()), None)

    def overlapping(
        self,
        keyframe: Keyframe,
        S_map_keyframe: np.ndarray,
        graph: PoseGraph,
        most: int,
        least: float,
        piece: int,
    ) -> list[Keyframe]:
        """Other keyframes of its piece of the map that share at least `least` of their view with
        it, best first."""
        shares: list[tuple[float, int]] = []
        for other in self._keyframes.values():
            if other.id != keyframe.id and graph.pieces[other.id] == piece:
                S_other = np.linalg.inv(graph.poses[other.id]) @ S_map_keyframe
                shares.append((_shared(other, keyframe, S_other, least), other.id))
        shares.sort(reverse=True)
        return [self._keyframes[i] for share, i in shares[:most] if share >= least]


def _shared(a: Keyframe, b: Keyframe, S_a_b: np.ndarray, least: float) -> float:
    """Share of view in common, as far as it matters: exact only from `least` on."""
    forth = expected_overlap(a, b.camera, S_a_b)
    if forth < least:
        return forth
    return min(forth, expected_overlap(b, a.camera, np.linalg.inv(S_a_b)))


def leapt(found: Track, last: Step | None, limits: KeyframeConfig) -> bool:
    """Whether so much is gone from view since the frame before that this one is better tracked
    against that one: who drives on sees little of what two images ago lay before the wheels."""
    if last is None or last.found is None:
        return False
    if _lens_known(last) and _doubt(found) > _DOUBTFUL * _doubt(last.found):
        return True
    before = _seen(last.found, last)
    return bool(_seen(found, last) < min(limits.min_matched, _LEAP * before))


def left(found: Track, limits: KeyframeConfig, step: Step) -> bool:
    """Whether a frame has moved so far that another keyframe serves better; one in which much moves
    waits for depth of its own, without which that would know still less."""
    turned = np.rad2deg(turn(found.T_keyframe_frame[:3, :3]))
    patient = found.scale is None and much_moves(step.motion)
    least = limits.min_matched * (_PATIENCE if patient else 1.0)
    return bool(_seen(found, step) < least or turned > limits.max_rotation_deg)


def _seen(found: Track, step: Step) -> float:
    """Share of the keyframe that a frame still sees: where it should, if its lens is known."""
    return found.agreeing if _lens_known(step) else found.matched


def _lens_known(step: Step) -> bool:
    """Whether somebody told the lens; one that is being learned puts much elsewhere."""
    return step.frame.intrinsics is not None


def _doubt(found: Track) -> float:
    """Standard deviation of a frame's direction, radians."""
    return float(np.sqrt(np.trace(found.covariance[3:, 3:])))
