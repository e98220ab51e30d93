# SPDX-License-Identifier: Apache-2.0
"""How soon a camera that was carried on in the dark has a place again, and is joined to its map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from dens3r_ros.geometry.rotation import turn
from dens3r_ros.mapping.update import Update

_ACROSS = 40
"""Pixels across an image in which noise has gone."""
_LIGHT = 4.0
"""Standard deviation of its grey levels, of 255, from which on there is something to see."""
_NEAR_M, _NEAR_RAD = 1.0, 0.5
"""Metres and radians within which a camera sees a place again."""


class Darkness:
    """Images in which there is nothing to see, as they come."""

    def __init__(self) -> None:
        self._dark = False
        self._began = 0
        self.light: int | None = None
        """Stamp of the first image after the last dark one; None where none was."""

    def see(self, stamp: int, image: np.ndarray) -> None:
        """One more (H, W, 3) image."""
        height = max(round(_ACROSS * image.shape[0] / image.shape[1]), 1)
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, (_ACROSS, height), interpolation=cv2.INTER_AREA)
        dark = float(small.std()) < _LIGHT
        if dark and not self._dark:
            self._began = stamp
        elif self._dark and not dark:
            self.light = stamp
        self._dark = dark

    def figures(
        self, updates: Sequence[tuple[int, Update]], true_poses: Mapping[int, np.ndarray]
    ) -> dict[str, object]:
        """Seconds from the light to the first place, and from when something known before was seen
        again to when all is one piece; empty where it never was dark."""
        light = self.light
        if light is None:
            return {}
        after = [update for _, update in updates if update.stamp >= light]
        placed = next((one.stamp for one in after if one.T_map_camera is not None), None)
        again = _seen_again(self._began, light, true_poses)
        known = [one for one in after if again is not None and one.stamp >= again]
        joined = next((one.stamp for one in known if one.counters.pieces == 1), None)
        return {
            "placed_after_light_s": _seconds(light, placed),
            "joined_after_seen_again_s": _seconds(again, joined),
        }


def _seen_again(dark: int, light: int, true_poses: Mapping[int, np.ndarray]) -> int | None:
    """Stamp of the first image after the light from near one before the dark."""
    before = [T for stamp, T in true_poses.items() if stamp < dark]
    for stamp, T in sorted(true_poses.items()):
        if stamp >= light and any(_near(T, other) for other in before):
            return stamp
    return None


def _near(T: np.ndarray, other: np.ndarray) -> bool:
    close = np.linalg.norm(T[:3, 3] - other[:3, 3]) < _NEAR_M
    return bool(close and turn(T[:3, :3].T @ other[:3, :3]) < _NEAR_RAD)


def _seconds(since: int | None, until: int | None) -> float | None:
    return None if since is None or until is None else (until - since) * 1e-9
