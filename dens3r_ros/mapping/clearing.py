# SPDX-License-Identifier: Apache-2.0
"""Clearing earlier keyframes of what later ones see through: people who left, doors that opened."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from dens3r_ros.mapping.archive.stored import Stored, small_camera, small_points
from dens3r_ros.mapping.graph.graph import PoseGraph, scale_of
from dens3r_ros.mapping.interfaces import KeyframeArchive
from dens3r_ros.mapping.keyframes.window import Window
from dens3r_ros.mapping.motion.look import ViewedSurface
from dens3r_ros.mapping.motion.seen_through import Looking, PoseDoubt, looking, seen_through
from dens3r_ros.mapping.tracking.keyframe import Keyframe

_LOOKS = (4.0, 10.0)
"""Predictions folded into a keyframe at which it looks at earlier ones, each time."""
_EACH = 2
"""Earlier keyframes that are looked at in each frame."""
_NEAREST = 24
"""Archived keyframes that one looks at."""
_KEPT = 0.2
"""Share of its confidence that a point keeps each time that it is seen through."""
_GONE = 0.5
"""Confidence above 1 below which it is gone then."""
_LARGEST_DOUBT = 0.01
"""Of a chain of edges, as `Edge.doubt` has it, beyond which keyframes do not look at each other."""


class Clearing:
    """Lets the keyframe that is in use look at earlier ones, a few in each frame; which and when
    depends on the frames alone."""

    def __init__(self, window: Window, archive: KeyframeArchive) -> None:
        self._window, self._archive = window, archive
        self._now: tuple[int, int] | None = None
        self._view: Looking | None = None
        self._waiting: deque[int] = deque()

    def work(self, graph: PoseGraph) -> None:
        """One frame's share."""
        keyframe = self._window.latest()
        if keyframe is None:
            return
        looks = sum(keyframe.canonical.folds >= least for least in _LOOKS)
        if looks and self._now != (keyframe.id, looks):
            self._now = keyframe.id, looks
            base = keyframe.base()
            self._view = looking(base.surface, base.camera)
            self._waiting = deque(self._earlier(keyframe, graph))
        if self._view is not None and self._now is not None and self._now[0] == keyframe.id:
            for _ in range(min(_EACH, len(self._waiting))):
                self._look(self._view, keyframe.id, self._waiting.popleft(), graph)

    def _earlier(self, keyframe: Keyframe, graph: PoseGraph) -> list[int]:
        """Keyframes of its piece that were made before it: those of the window, and the nearest of
        the archive that look the same way."""
        piece = graph.pieces[keyframe.id]
        live = [one.id for one in self._window if one.stamp < keyframe.stamp]
        kept = [i for i in self._archive if self._archive.stored(i).stamp < keyframe.stamp]
        live, kept = ([i for i in ids if graph.pieces[i] == piece] for ids in (live, kept))
        if kept:
            poses, own = np.array([graph.poses[i] for i in kept]), graph.poses[keyframe.id]
            far = np.linalg.norm(poses[:, :3, 3] - own[:3, 3], axis=1)
            towards = poses[:, :3, 2] @ own[:3, 2]
            near = np.argsort(np.where(towards > 0, far, np.inf), kind="stable")[:_NEAREST]
            kept = [kept[n] for n in near.tolist() if towards[n] > 0]
        return [*live[::-1], *kept]

    def _look(self, view: Looking, keyframe_id: int, other_id: int, graph: PoseGraph) -> None:
        if other_id not in graph.poses:
            return
        chain = graph.chained(keyframe_id, other_id, _LARGEST_DOUBT)
        if chain is None:
            return
        S, doubt = graph.relative(keyframe_id, other_id), _doubt(chain[1], chain[0])
        if other_id in self._window:
            _clear_live(self._window[other_id], view, S, doubt)
        elif other_id in self._archive:
            stored = self._archive.stored(other_id)
            cleared = _cleared(stored, view, S, doubt)
            if cleared is not stored:
                self._archive.put(cleared)


def _doubt(covariance: np.ndarray, S_looking_other: np.ndarray) -> PoseDoubt:
    """Of a relative pose whose covariance is told on the other's side."""
    shift, turn, unit = (
        float(np.sqrt(np.diag(covariance)[part].max()))
        for part in (slice(0, 3), slice(3, 6), slice(6, 7))
    )
    return PoseDoubt(shift * scale_of(S_looking_other), turn, unit)


def _clear_live(other: Keyframe, view: Looking, S: np.ndarray, doubt: PoseDoubt) -> None:
    base, canonical = other.base(), other.canonical
    through = seen_through(base.surface, base.camera, S, doubt, view)
    if through is None:
        return
    found_again = other.confirming is not None and bool(through.same.any())
    if other.confirming is not None and found_again:
        other.confirming.found_again(through.same)
    # Whatever draws the map takes a keyframe of another revision anew.
    if not found_again and not through.gone.any():
        return
    canonical.weight = _less(canonical.weight, through.gone, canonical.folds)
    other.revision += 1


def _cleared(stored: Stored, view: Looking, S: np.ndarray, doubt: PoseDoubt) -> Stored:
    """The same, with less of what the view sees through; itself where that is nothing."""
    weight = np.where(stored.depth > 0, stored.confidence.astype(np.float32) - 1, np.float32(0))
    surface = ViewedSurface(small_points(stored), weight)
    through = seen_through(surface, small_camera(stored), S, doubt, view)
    if through is None or not through.gone.any():
        return stored
    left = _less(weight, through.gone, 1)
    depth = np.where(through.gone & (left <= 0), np.float16(0), stored.depth)
    sure = (1 + left).astype(np.float16)
    return replace(stored, depth=depth, confidence=sure, revision=stored.revision + 1)


def _less(weight: np.ndarray, through: np.ndarray, folds: float) -> np.ndarray:
    """(h, w) weights, of so many predictions, after some points were seen through once more."""
    left = np.float32(_KEPT) * weight
    left = np.where(left < _GONE * folds, np.float32(0), left)
    return np.where(through, left, weight)
