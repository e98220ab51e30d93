# SPDX-License-Identifier: Apache-2.0
"""A frame's maps, made when they are asked for, at the engine's resolution or the image's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from dens3r_ros.engines.preprocess import restore, upright
from dens3r_ros.engines.protocol import Placement
from dens3r_ros.geometry.normals import normals_from_points


@dataclass(frozen=True, eq=False)
class Maps:
    """Per-pixel geometry of one frame, in the camera's optical frame and `odom`'s length unit.

    `make` gives points (h, w, 3) in a unit whose length in `odom`'s is `scale`, and their
    confidence (h, w); `rays` (h, w, 3) with z = 1 pin them to their pixels where the camera is
    known. Nothing is computed before it is read.
    """

    make: Callable[[], tuple[np.ndarray, np.ndarray]]
    scale: float
    placement: Placement
    rays: np.ndarray | None = None
    engine_normals: np.ndarray | None = None

    @cached_property
    def _made(self) -> tuple[np.ndarray, np.ndarray]:
        return self.make()

    @property
    def confidence(self) -> np.ndarray:
        """(h, w) float32, 1 (none) to infinity."""
        return self._made[1]

    @cached_property
    def depth(self) -> np.ndarray:
        """(h, w) float32 z."""
        return self._made[0][..., 2] * np.float32(self.scale)

    @cached_property
    def points(self) -> np.ndarray:
        """(h, w, 3) float32."""
        if self.rays is not None:
            return self.rays * self.depth[..., None]
        return self._made[0] * np.float32(self.scale)

    @cached_property
    def normals(self) -> np.ndarray:
        """(h, w, 3) float32 unit vectors facing the camera; 0 where unknown."""
        if self.engine_normals is not None:
            return self.engine_normals
        return normals_of(self.points)

    def at_input(self) -> Maps:
        """The same on the pixels of the frame's image; NaN (confidence 1) outside."""
        height, width = self.placement.original
        whole = Placement((height, width), (height, width), 0, 0, (height, width))
        raw, confidence = self._restored(self._made[0]), self._restored(self.confidence, 1.0)
        return replace(
            self,
            make=lambda: (raw, confidence),
            placement=whole,
            rays=None if self.rays is None else self._restored(self.rays),
            engine_normals=self._restored(self.normals),
        )

    def _restored(self, maps: np.ndarray, fill: float = float("nan")) -> np.ndarray:
        batch = torch.from_numpy(np.require(maps, requirements=["C", "W"]))[None]
        return restore(batch, upright(self.placement), fill)[0].numpy()


def normals_of(points: np.ndarray) -> np.ndarray:
    """(h, w, 3) float32 unit normals of a pointmap, facing the camera; 0 where unknown."""
    return normals_from_points(torch.from_numpy(points), radius=2)[0].numpy()
