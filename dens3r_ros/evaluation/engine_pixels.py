# SPDX-License-Identifier: Apache-2.0
"""Truth on the pixels that an engine works on."""

from __future__ import annotations

import numpy as np

from dens3r_ros.engines.protocol import Placement


def on_engine_pixels(image: np.ndarray, placement: Placement) -> np.ndarray:
    """The nearest original pixel's value (h, w, ...) for every pixel of the engine.

    Of an image that is not turned: the placement must not be either.
    """
    rows = _nearest(placement, axis=0, start=placement.top)
    columns = _nearest(placement, axis=1, start=placement.left)
    return image[rows[:, None], columns]


def _nearest(placement: Placement, axis: int, start: int) -> np.ndarray:
    whole, resized = placement.original[axis], placement.resized[axis]
    centres = (np.arange(placement.size[axis]) + start + 0.5) * whole / resized - 0.5
    return centres.round().astype(int).clip(0, whole - 1)
