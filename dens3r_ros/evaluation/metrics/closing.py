# SPDX-License-Identifier: Apache-2.0
"""What loops are worth: where the end of a path comes out, and whether any loop is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dens3r_ros.geometry.rotation import turn
from dens3r_ros.mapping.graph.graph import Edge, rigid, scale_of

_WRONG_M = 0.5
_WRONG_DEG = 10.0
"""A loop that is off by more ties together what does not belong together."""


def end_error(estimated: np.ndarray, truth: np.ndarray, scale: float) -> float:
    """Metres by which the last of (N, 4, 4) poses, seen from the first, is off; `scale` is metres
    per unit of the estimate."""
    if len(estimated) < 2:
        return float("nan")
    found, true = (np.linalg.inv(poses[0]) @ poses[-1] for poses in (estimated, truth))
    return float(np.linalg.norm(scale * found[:3, 3] - true[:3, 3]))


def wrong_loops(
    loops: Sequence[Edge],
    S_map: Mapping[int, np.ndarray],
    T_world: Mapping[int, np.ndarray],
    scale: float,
) -> int:
    """Loops that tie keyframes together at a place where they are not.

    `S_map` and `T_world` are the keyframes' poses as mapped and in truth; `scale` is metres per
    unit of the map.
    """
    wrong = set()
    for edge in loops:
        if edge.i not in T_world or edge.j not in T_world:
            continue
        found = rigid(edge.S_i_j)
        found[:3, 3] *= scale * scale_of(S_map[edge.i])
        off = np.linalg.inv(T_world[edge.i]) @ T_world[edge.j]
        off = np.linalg.inv(off) @ found
        turned = np.degrees(turn(off[:3, :3]))
        if np.linalg.norm(off[:3, 3]) > _WRONG_M or turned > _WRONG_DEG:
            wrong.add(frozenset((edge.i, edge.j)))
    return len(wrong)
