# SPDX-License-Identifier: Apache-2.0
"""A frame that is kept."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from dens3r_ros.engines.protocol import Features
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.motion.confirming import Confirming
from dens3r_ros.mapping.motion.detector import Base
from dens3r_ros.mapping.motion.look import ViewedSurface
from dens3r_ros.mapping.motion.weights import standing, stillness
from dens3r_ros.mapping.tracking.cameras import camera_rays
from dens3r_ros.mapping.tracking.depth.fusion import Canonical
from dens3r_ros.mapping.tracking.refinement import Texture
from dens3r_ros.mapping.tracking.track import Track

_MOST_TRACKS = 8
_ONCE = 0.1
"""Share that a point counts for of which only one prediction has told, where things may move."""


@dataclass(eq=False)
class Keyframe:
    """A keyframe of the window, with everything live; its pose is the graph's.

    `camera` sees `canonical`'s pixels; `calibrated` tells whether they are pinned to its rays, as
    where it was given. `revision` grows whenever the pointmap changes.
    """

    id: int
    features: Features
    canonical: Canonical
    camera: Intrinsics
    calibrated: bool
    texture: Texture
    revision: int = 0
    tracks: list[Track] = field(default_factory=list)
    """Frames tracked against it, those with the largest parallax."""
    motion: np.ndarray | None = None
    """(h, w) float32 what of it moves, 0 to 1; None where that is not told."""
    confirming: Confirming | None = None
    """Which of its points were seen to stand still; None where all count as that."""

    def confirm(self, depth: np.ndarray, confidence: np.ndarray, stamp: int) -> None:
        """An image of that stamp (ns) tells these depths and confidences (h, w) of its pixels."""
        if self.confirming is not None:
            canonical = self.canonical
            known = canonical.points[..., 2], canonical.weight / np.float32(canonical.folds)
            self.confirming.tell(known, (depth, confidence - 1), stamp)

    @property
    def shown(self) -> np.ndarray:
        """(h, w) float32 confidence of what is in the map, 1 (none) of what is not: what moves, and
        what was not yet seen to stand still."""
        sure = standing(self.canonical.confidence, self.motion)
        if self.confirming is None:
            return sure
        return np.where(self.confirming.confirmed(), sure, np.float32(1))

    def trust(self, pixels: np.ndarray) -> np.ndarray | float:
        """(N,) how much points at pixels (N, 2) int count beside each other: what only one
        prediction has told may have moved."""
        if self.confirming is None:
            return 1.0
        x, y = pixels.T
        return np.where(self.confirming.agreed()[y, x], 1.0, _ONCE)

    def tracked(self, found: Track) -> None:
        """Remember how a frame saw it."""
        self.tracks.append(found)
        self.tracks.sort(key=lambda track: -track.parallax)
        del self.tracks[_MOST_TRACKS:]

    def moves(self, motion: np.ndarray) -> None:
        """Take in what more is known (h, w), 0 to 1, of what moves in it: that is in the map for
        the less."""
        self.motion = motion if self.motion is None else np.maximum(self.motion, motion)
        self.canonical.weight = self.canonical.weight * stillness(motion)
        self.features = replace(self.features, moving=self.motion)
        self.revision += 1

    def learn_lens(self, camera: Intrinsics) -> None:
        """Take over what has become known of a lens that was not given."""
        known = (camera.width, camera.height) == (self.camera.width, self.camera.height)
        if known and not self.calibrated:
            self.camera = camera

    def pin(self, frame: Frame, camera: Intrinsics) -> None:
        """Look along the rays of a lens that was learned: `frame` brings it at the image's size,
        `camera` at this one's."""
        if (camera.width, camera.height) != (self.camera.width, self.camera.height):
            return
        self.features = replace(self.features, frame=frame, intrinsics=camera)
        self.camera, self.calibrated = camera, True
        self.canonical.pin(camera_rays(camera))
        self.revision += 1

    def base(self) -> Base:
        """It as images are compared with it to see what moves."""
        canonical = self.canonical
        weight = canonical.weight / np.float32(canonical.folds)
        surface = ViewedSurface(canonical.points, weight)
        grey = self.texture.grey
        return Base(self.id, surface, grey, self.camera, self.stamp, self.motion)

    @property
    def stamp(self) -> int:
        """Nanoseconds."""
        return self.features.frame.stamp

    @property
    def camera_name(self) -> str:
        """Of the camera that took it."""
        return self.features.frame.camera

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of its maps."""
        return self.canonical.weight.shape[0], self.canonical.weight.shape[1]
