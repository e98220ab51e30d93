# SPDX-License-Identifier: Apache-2.0
"""What of a frame's maps is fit to be published, and its colours at the same resolution."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.maps import Maps
from dens3r_ros.mapping.motion.weights import MOVES
from dens3r_ros.mapping.update import Update
from dens3r_ros.nodes.settings.config import OutputParameters


@dataclass(frozen=True, eq=False)
class Visible:
    """One frame's maps as published: NaN where invalid, all of one size, in the optical frame.

    Each is made when it is read.
    """

    maps: Maps
    hidden: np.ndarray
    frame: Frame
    intrinsics: Intrinsics | None
    at_input: bool

    @cached_property
    def points(self) -> np.ndarray:
        """(h, w, 3) float32."""
        return _masked(self.maps.points, self.hidden)

    @cached_property
    def depth(self) -> np.ndarray:
        """(h, w) float32 z."""
        return _masked(self.maps.depth, self.hidden)

    @cached_property
    def normals(self) -> np.ndarray:
        """(h, w, 3) float32 unit vectors facing the camera."""
        normals = self.maps.normals
        return _masked(normals, self.hidden | ~np.any(normals, axis=-1))

    @property
    def confidence(self) -> np.ndarray:
        """(h, w) float32, 1 (none) to infinity."""
        return self.maps.confidence

    @property
    def motion(self) -> np.ndarray | None:
        """(h, w) float32, 0 stands still to 1 moves; None where that is not told."""
        return self.maps.motion

    @cached_property
    def standing(self) -> np.ndarray:
        """(h, w, 3) float32 points of what does not move."""
        if self.motion is None:
            return self.points
        return _masked(self.points, self.motion > MOVES)

    @cached_property
    def colours(self) -> np.ndarray:
        """(h, w, 3) uint8 RGB."""
        return self.frame.image if self.at_input else _colours(self.frame, self.maps)


def visible_maps(frame: Frame, update: Update, output: OutputParameters) -> Visible | None:
    """The maps of a tracked frame under the output's limits; None where there are none."""
    if update.maps is None:
        return None
    at_input = output.resolution == "input"
    maps = update.maps.at_input() if at_input else update.maps
    intrinsics = update.intrinsics if at_input else _intrinsics(update)
    return Visible(maps, ~_fit(maps, output), frame, intrinsics, at_input)


def _fit(maps: Maps, output: OutputParameters) -> np.ndarray:
    fit = (maps.confidence >= output.min_confidence) & (maps.depth > output.min_range)
    if output.max_range:
        fit &= maps.depth <= output.max_range
    return fit


def _masked(values: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[hidden] = np.nan
    return values


def _colours(frame: Frame, maps: Maps) -> np.ndarray:
    from dens3r_ros.engines.preprocess import resample, upright

    return resample(frame.image, upright(maps.placement))


def _intrinsics(update: Update) -> Intrinsics | None:
    from dens3r_ros.engines.preprocess import intrinsics_at, upright

    if update.intrinsics is None or update.maps is None:
        return None
    return intrinsics_at(update.intrinsics, upright(update.maps.placement))


def motion_picture(motion: np.ndarray) -> np.ndarray:
    """(H, W) uint8, 255 moves."""
    return np.rint(255 * motion.clip(0, 1)).astype(np.uint8)


def normal_colours(normals: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB of optical-frame normals: right red, up green, towards us blue."""
    towards = normals * np.array([1.0, -1.0, -1.0], np.float32)
    return np.nan_to_num(towards * 127.5 + 127.5, nan=0.0).astype(np.uint8)
