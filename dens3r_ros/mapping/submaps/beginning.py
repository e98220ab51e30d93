# SPDX-License-Identifier: Apache-2.0
"""How a camera that is lost where nobody has been begins another piece of the map."""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.mapping.graph.graph import rigid, scale_of
from dens3r_ros.mapping.keyframes.initialiser import First, Initialiser
from dens3r_ros.mapping.step import Step
from dens3r_ros.mapping.streams.stream import Stream
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.world import Parts, World

_SOUGHT_S = 0.4
"""Seconds of light for which a lost camera is only looked for."""
_SOUGHT = 3
"""Frames with light, likewise, where none is known with which one of them could begin a piece."""
_ACROSS = 40
"""Pixels across an image in which noise has gone."""
_LIGHT = 4.0
"""Standard deviation of its grey levels, of 255, from which on there is something to see."""


class SubmapBeginner:
    """Collects what a lost camera sees until it can be the beginning of a piece."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._initialiser = self._another()
        self._since: int | None = None
        self._sought = 0

    def offer(self, step: Step, keyframe_id: int) -> First | str:
        """Try to begin with a frame that was found nowhere, and that keyframe; a reason where that
        is not yet possible."""
        if step.view.texture is None or not _lit(step.view.texture.grey):
            self._forget()
            return "there is nothing to see"
        if self._since is None:
            self._since = step.frame.stamp
        self._sought += 1
        patient = step.frame.stamp - self._since < _SOUGHT_S * 1e9
        patient |= self._sought < _SOUGHT and step.begin_with is None
        if patient:
            self._initialiser.wait(step.features, step.view)
            return "looking for the camera in the map"
        return self._initialiser.offer(step, keyframe_id)

    def found(self) -> None:
        """The camera has a place again."""
        if self._sought:
            self._forget()

    def _forget(self) -> None:
        self._initialiser, self._since, self._sought = self._another(), None, 0

    def _another(self) -> Initialiser:
        parts = self._parts
        return Initialiser(parts.engine, parts.maker, parts.config)


def _lit(grey: np.ndarray) -> bool:
    height = max(round(_ACROSS * grey.shape[0] / grey.shape[1]), 1)
    small = cv2.resize(grey, (_ACROSS, height), interpolation=cv2.INTER_AREA)
    return float(small.std()) > _LIGHT


def believed_place(keyframe: Keyframe, stream: Stream, world: World) -> np.ndarray | None:
    """S_map_keyframe (4, 4) of a piece's first keyframe, as nothing is known of it: where its
    camera was last, and seeing as far; None of a camera that was nowhere."""
    if stream.keyframe_id is None:
        return None
    left, S_left = world.live(stream.keyframe_id), world.pose(stream.keyframe_id)
    S = rigid(S_left @ stream.T_keyframe_frame)
    if not world.parts.metric:
        seen = scale_of(S_left) * left.canonical.median_depth
        S[:3, :3] *= seen / keyframe.canonical.median_depth
    return S


def leave_behind(streams: dict[str, Stream], owner: Stream, world: World) -> list[str]:
    """Let cameras that stand in another piece than the owner of `odom` enter its piece anew; their
    names."""
    assert owner.keyframe_id is not None
    left = []
    for stream in streams.values():
        own = stream.keyframe_id
        if own is not None and not world.graph.pieces.together(own, owner.keyframe_id):
            stream.keyframe_id, stream.lost = None, 0
            left.append(stream.name)
    return left
