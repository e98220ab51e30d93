# SPDX-License-Identifier: Apache-2.0
"""Where to look for correspondences once more: where the motion and the depth that a first look
found put every pixel.

Flow compares patches of one shape, and draws what is near, and so fast, towards what lies around:
it falls short there, by the more the farther the camera has gone, and a keyframe's unit would
change with its frames. Seen as motion and depth make it expected, patches look alike, and flow
looks only for what is left.
"""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.engines.geometric.depth import planes_flow
from dens3r_ros.engines.geometric.doubt import Seen
from dens3r_ros.engines.geometric.features import ImageFeatures
from dens3r_ros.geometry.two_views.flow import TwoWayFlow

_NEARBY = 1 / 320
"""Share of the image's width within which something lies where it was expected."""
_ELSEWHERE = 0.3
"""Share of what comes back to itself that lies elsewhere, with which a look was not led well."""


def where_to_look(
    a: ImageFeatures, b: ImageFeatures, first: TwoWayFlow, seen: tuple[Seen, Seen]
) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 2) float32 offsets of both images' pixels by the motion, `seen` from a and from b."""
    return (
        _expected(first.forward, first.forward_error, seen[0], a),
        _expected(first.backward, first.backward_error, seen[1], b),
    )


def as_expected(found: TwoWayFlow, start: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether a look found nearly all of a where it began to look for it."""
    surely = found.forward_error < 1
    x, y = cv2.split(found.forward - start[0])
    far = (_NEARBY * found.forward.shape[1]) ** 2
    elsewhere = np.count_nonzero(surely & (x * x + y * y > far))
    return bool(elsewhere <= _ELSEWHERE * np.count_nonzero(surely))


def _expected(
    flow: np.ndarray, return_error: np.ndarray, seen: Seen, view: ImageFeatures
) -> np.ndarray:
    """(H, W, 2) float32 offsets, none longer than the image."""
    height, width = view.grey.shape
    offsets = planes_flow(flow, return_error, seen, view.smoothing)
    reach = np.float32(width)
    return np.clip(cv2.resize(offsets, (width, height)), -reach, reach)
