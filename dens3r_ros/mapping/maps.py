# SPDX-License-Identifier: Apache-2.0
"""A frame's maps, made when they are asked for, at the engine's resolution or the image's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from dens3r_ros.engines.preprocess import restore, upright
from dens3r_ros.engines.protocol import Placement
from dens3r_ros.geometry.normals import normals_from_points
from dens3r_ros.mapping.tracking.observation import ViewMaps


@dataclass(frozen=True, eq=False)
class Maps:
    """Per-pixel geometry of one frame, in the camera's optical frame and `odom`'s length unit.

    `seen` gives the engine's maps, `scale` is the length of its unit in `odom`'s, `rays` (h, w, 3)
    with z = 1 pin its points to their pixels where the camera is known. Nothing is computed before
    it is read; `apart` from mapping, if that needs nothing which mapping changes or uses.
    """

    seen: Callable[[], ViewMaps]
    scale: float
    placement: Placement
    rays: np.ndarray | None = None
    apart: bool = False
    motion: np.ndarray | None = None
    """(h, w) float32, 0 stands still to 1 moves by itself; None where that is not told."""

    @cached_property
    def _made(self) -> ViewMaps:
        return self.seen()

    @property
    def confidence(self) -> np.ndarray:
        """(h, w) float32, 1 (none) to infinity."""
        return self._made.confidence

    @cached_property
    def depth(self) -> np.ndarray:
        """(h, w) float32 z."""
        return self._made.points[..., 2] * np.float32(self.scale)

    @cached_property
    def points(self) -> np.ndarray:
        """(h, w, 3) float32."""
        if self.rays is not None:
            return self.rays * self.depth[..., None]
        return self._made.points * np.float32(self.scale)

    @cached_property
    def normals(self) -> np.ndarray:
        """(h, w, 3) float32 unit vectors facing the camera; 0 where unknown."""
        found = self._made.normals
        return normals_of(self.points) if found is None else found

    def at_input(self) -> Maps:
        """The same on the pixels of the frame's image; NaN (confidence 1) outside."""
        height, width = self.placement.original
        whole = Placement((height, width), (height, width), 0, 0, (height, width))
        made = ViewMaps(
            self._restored(self._made.points),
            self._restored(self.confidence, 1.0),
            self._restored(self.normals),
        )
        rays = None if self.rays is None else self._restored(self.rays)
        motion = None if self.motion is None else self._restored(self.motion, 0.0)
        return Maps(lambda: made, self.scale, whole, rays, motion=motion)

    def _restored(self, maps: np.ndarray, fill: float = float("nan")) -> np.ndarray:
        batch = torch.from_numpy(np.require(maps, requirements=["C", "W"]))[None]
        return restore(batch, upright(self.placement), fill)[0].numpy()


def normals_of(points: np.ndarray) -> np.ndarray:
    """(h, w, 3) float32 unit normals of a pointmap, facing the camera; 0 where unknown."""
    return normals_from_points(torch.from_numpy(points), radius=2)[0].numpy()
