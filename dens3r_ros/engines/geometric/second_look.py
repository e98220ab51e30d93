# SPDX-License-Identifier: Apache-2.0
"""Correspondence once more, where the camera has moved along its view.

What comes near grows, and flow that compares patches of one size falls short by a twentieth where
it is fast, which is where most is told of how far the camera went. Seen as the motion and the depth
that were found make it expected, patches have one size, and flow looks only for what is left.
"""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.engines.geometric.correspondence import Correspondence, from_flow
from dens3r_ros.engines.geometric.depth import InverseDepth
from dens3r_ros.engines.geometric.doubt import Seen
from dens3r_ros.engines.geometric.features import ImageFeatures
from dens3r_ros.engines.geometric.moving import NOTHING, Moving
from dens3r_ros.geometry.two_views.triangulation import landing_of

_GROWN = 0.05
"""Share by which patches grow from one view to the other beyond which that misleads flow."""
_SHARE = 0.2
"""Share of the view in which they have to grow so much."""


def worth_another_look(depth: InverseDepth, T_other_view: np.ndarray) -> bool:
    """Whether much of a view is nearer in the other one, or farther, by so much that patches change
    their size."""
    growth = np.abs(T_other_view[2, 3]) * depth.planes.value
    return bool((growth > _GROWN).mean() > _SHARE)


def look_again(
    a: ImageFeatures,
    b: ImageFeatures,
    found: Correspondence,
    depths: tuple[InverseDepth, InverseDepth],
    seen: tuple[Seen, Seen],
    moving: Moving = NOTHING,
) -> Correspondence:
    """From flow that starts where the views' inverse depths and their motion, `seen` from a and
    from b, put every pixel."""
    size = a.grey.shape
    start = _expected(depths[0], seen[0], size), _expected(depths[1], seen[1], size)
    return from_flow(a, b, start, found, moving)


def _expected(depth: InverseDepth, seen: Seen, size: tuple[int, ...]) -> np.ndarray:
    """(H, W, 2) float32 offsets, none longer than the image."""
    (K, K_other), T = seen
    height, width = size
    filled = cv2.resize(depth.planes.value, (width, height))
    x, y = landing_of(filled, K, K_other, T)
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    offsets = cv2.merge([x - columns, y - rows[:, None]])
    return np.clip(offsets, -np.float32(width), np.float32(width))
