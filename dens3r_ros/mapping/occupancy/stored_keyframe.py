# SPDX-License-Identifier: Apache-2.0
"""A keyframe of a map file, as a floor plan is drawn of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dens3r_ros.mapping.archive.stored import StoredView


@dataclass(frozen=True, eq=False)
class StoredKeyframe:
    """T_map_camera (4, 4), and the length of the keyframe's unit in the map's."""

    view: StoredView
    T_map_camera: np.ndarray
    unit: float
    in_window: bool = False

    @property
    def id(self) -> int:
        """Of the keyframe."""
        return self.view.stored.id

    @property
    def revision(self) -> int:
        """Of its points."""
        return self.view.revision

    @cached_property
    def points(self) -> np.ndarray:
        """(h, w, 3) float32 in the map's unit."""
        return self.view.points * np.float32(self.unit)

    @cached_property
    def confidence(self) -> np.ndarray:
        """(h, w) float32."""
        return self.view.confidence
