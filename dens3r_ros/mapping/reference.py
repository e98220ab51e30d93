# SPDX-License-Identifier: Apache-2.0
"""What a camera is tracked against between decodings: a copy of the map around it, which nothing
changes while the map itself is worked on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from dens3r_ros.engines.preprocess import resample
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.keyframes.linking import expected_overlap
from dens3r_ros.mapping.motion.detector import Base
from dens3r_ros.mapping.motion.look import ViewedSurface
from dens3r_ros.mapping.streams.stream import Sight, Stream
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.landmarks import Landmarks
from dens3r_ros.mapping.world import World

_NEIGHBOURS = 2
_OVERLAP = 0.25
"""Share of a neighbour's points that must be in view."""


@dataclass(frozen=True, eq=False)
class KeyframeSurface:
    """A keyframe's pointmap at one moment: points (h, w, 3), confidence (h, w) float32."""

    points: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True, eq=False)
class Neighbour:
    """Another keyframe's landmarks, and its frame and unit in the reference's (4, 4)."""

    landmarks: Landmarks
    S_keyframe_neighbour: np.ndarray


@dataclass(frozen=True, eq=False)
class Reference:
    """A keyframe and what lies around it, for one camera.

    T_keyframe_frame (4, 4) of the frame that was decoded last, and how it was seen; folds:
    predictions that the keyframe is made of; piece of the map that it lies in.
    """

    landmarks: Landmarks
    neighbours: tuple[Neighbour, ...]
    surface: KeyframeSurface
    S_map_keyframe: np.ndarray
    T_keyframe_frame: np.ndarray
    sight: Sight
    folds: float
    piece: int
    base: Base | None = None
    """What images are compared with to see what moves, where that is asked for."""

    @property
    def keyframe_id(self) -> int:
        """Of the keyframe."""
        return self.landmarks.keyframe_id

    def grey(self, frame: Frame) -> np.ndarray:
        """(h, w) uint8: a frame on the engine's pixels."""
        return cv2.cvtColor(resample(frame.image, self.sight.placement), cv2.COLOR_RGB2GRAY)


def reference_of(stream: Stream, world: World, min_confidence: float) -> Reference | None:
    """What the camera of a stream is tracked against; None while it has no place."""
    if stream.keyframe_id is None or stream.sight is None:
        return None
    keyframe = world.live(stream.keyframe_id)
    T = stream.T_keyframe_frame
    neighbours = tuple(
        Neighbour(Landmarks.of(other, min_confidence), S)
        for other, S in _around(keyframe, stream.sight.camera, T, world)
    )
    canonical = keyframe.canonical
    surface = KeyframeSurface(canonical.points.copy(), canonical.confidence)
    base = None
    if stream.watch is not None:
        seen = ViewedSurface(surface.points, surface.confidence - 1)
        base = replace(keyframe.base(), surface=seen)
    return Reference(
        Landmarks.of(keyframe, min_confidence),
        neighbours,
        surface,
        world.pose(keyframe.id),
        T,
        stream.sight,
        canonical.folds,
        world.graph.pieces[keyframe.id],
        base,
    )


def _around(
    keyframe: Keyframe, camera: Intrinsics, T_keyframe_frame: np.ndarray, world: World
) -> Iterable[tuple[Keyframe, np.ndarray]]:
    """Other keyframes of the window that see what the frame sees, best first."""
    ranked, pieces = [], world.graph.pieces
    for other in world.window:
        if other.id != keyframe.id and pieces.together(other.id, keyframe.id):
            S = world.graph.relative(keyframe.id, other.id)
            S_other_frame = np.linalg.inv(S) @ T_keyframe_frame
            ranked.append((expected_overlap(other, camera, S_other_frame), other.id, other, S))
    ranked.sort(key=lambda one: one[:2], reverse=True)
    return [(other, S) for share, _, other, S in ranked[:_NEIGHBOURS] if share > _OVERLAP]
