# SPDX-License-Identifier: Apache-2.0
"""What a network tells of the lens, image by image, as a guess where nobody gave one."""

from __future__ import annotations

from collections import deque
from weakref import WeakSet

import numpy as np

from dens3r_ros.engines.hybrid.alone import Encoded
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.two_views.motion_fit import FocalGuess

_MEMORY = 101
_ERROR = 0.07
"""Standard deviation of the logarithm of the focal length that one image tells."""
_SHARED = 0.015
"""The same of what all images err by alike."""


class ToldLens:
    """The middle of the focal lengths that were told, of one lens for all images."""

    def __init__(self) -> None:
        self._told: deque[float] = deque(maxlen=_MEMORY)
        self._asked: WeakSet[Encoded] = WeakSet()

    def ask(self, image: Encoded) -> None:
        """What the network tells of one image, which counts once."""
        if image not in self._asked:
            self._asked.add(image)
            self.told(image.alone.camera)

    def told(self, camera: Intrinsics | None) -> None:
        """By one more image, if it was."""
        if camera is not None:
            long_side = max(camera.width, camera.height)
            self._told.append(float(np.log((camera.fx + camera.fy) / 2 / long_side)))

    def guess(self, size: tuple[int, int]) -> FocalGuess | None:
        """For images of (height, width); None before anything was told."""
        if not self._told:
            return None
        told = np.array(self._told)
        middle = float(np.median(told))
        apart = 1.4826 * float(np.median(np.abs(told - middle)))
        spread = max(_ERROR, apart) / np.sqrt(len(told))
        return FocalGuess(float(np.exp(middle)) * max(size), float(np.hypot(spread, _SHARED)))
