# SPDX-License-Identifier: Apache-2.0
"""A floor plan as the two files that `nav2_map_server` loads: a picture, and a yaml beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dens3r_ros.mapping.archive.stored import StoredView
from dens3r_ros.mapping.files.map_file import LoadedMap
from dens3r_ros.mapping.graph.graph import rigid, scale_of
from dens3r_ros.mapping.occupancy.occupancy import FREE, OCCUPIED, Plan
from dens3r_ros.mapping.occupancy.stored_keyframe import StoredKeyframe

_WHITE, _BLACK, _GREY = 254, 0, 205
_OCCUPIED_FROM, _FREE_UP_TO = 0.65, 0.19
"""Shares of black; grey is 0.196 of it, and so neither."""


def stored_keyframes(loaded: LoadedMap) -> Sequence[StoredKeyframe]:
    """The keyframes of a map file, as a plan is drawn of them."""
    views = []
    for keyframe in loaded.keyframes:
        S = loaded.poses[keyframe.stored.id]
        views.append(StoredKeyframe(StoredView(keyframe.stored), rigid(S), scale_of(S)))
    return views


def write_plan(path: Path, plan: Plan) -> Path:
    """Write `office.yaml`, and `office.pgm` beside it; the path of the picture."""
    picture = path.with_suffix(".pgm")
    shades = np.full(plan.cells.shape, _GREY, np.uint8)
    shades[plan.cells == FREE] = _WHITE
    shades[plan.cells == OCCUPIED] = _BLACK
    height, width = plan.cells.shape[0], plan.cells.shape[1]
    picture.write_bytes(f"P5\n{width} {height}\n255\n".encode() + shades[::-1].tobytes())
    x, y = plan.origin.tolist()
    path.write_text(
        f"image: {picture.name}\n"
        "mode: trinary\n"
        f"resolution: {plan.resolution:g}\n"
        f"origin: [{x:.6f}, {y:.6f}, 0.0]\n"
        "negate: 0\n"
        f"occupied_thresh: {_OCCUPIED_FROM}\n"
        f"free_thresh: {_FREE_UP_TO}\n"
    )
    return picture
