# SPDX-License-Identifier: Apache-2.0
"""Whether what was measured between two keyframes can be, by all that was measured before."""

from __future__ import annotations

import numpy as np

from dens3r_ros.geometry import tangents
from dens3r_ros.mapping.graph.graph import Edge, PoseGraph


def contradiction(edge: Edge, graph: PoseGraph) -> float:
    """How far a new edge lies from what the graph believes, in standard deviations."""
    chained = graph.chained(edge.i, edge.j)
    if chained is None:
        return 0.0
    S, covariance = chained
    off = tangents.log(np.linalg.inv(S) @ edge.S_i_j)
    spread = covariance + edge.covariance
    return float(np.sqrt(off @ np.linalg.solve(spread, off) / len(off)))
