# SPDX-License-Identifier: Apache-2.0
"""What an inertial sensor and the camera together say of keyframes, as edges and scale priors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dens3r_ros.mapping.graph.graph import Edge, PoseGraph, ScalePrior, scale_of

_PLACE_M, _PLACE_SHARE = 0.005, 0.005
"""Metres, and share of the way, that a motion between two keyframes errs by."""
_TURN = 5e-4
"""Radians, the same."""
_UNIT = 0.005
"""Logarithm of the ratio of two keyframes' units, the same."""


@dataclass(frozen=True, eq=False)
class FeltVisit:
    """While frames were placed against a keyframe, the first of them at this stamp (ns):
    S_level_keyframe (4, 4) in metres, whose scale is the length of the keyframe's unit, and the
    standard deviation of its logarithm."""

    stamp: int
    keyframe_id: int
    S_level_keyframe: np.ndarray
    sigma: float


@dataclass(frozen=True, eq=False)
class FeltWay:
    """One visit after the other, a sensor's whole opinion so far: `metres` are what the map's unit
    is to be. `ties`: whether the camera was followed from each visit to the next."""

    visits: Sequence[FeltVisit]
    ties: Sequence[bool]
    metres: float

    def edges(self, graph: PoseGraph) -> Iterator[tuple[int, Edge]]:
        """Between neighbours in time that are of one piece of the map, by the later one's stamp."""
        for (one, other), tied in zip(pairwise(self.visits), self.ties, strict=True):
            i, j = one.keyframe_id, other.keyframe_id
            here = i != j and i in graph.poses and j in graph.poses
            if tied and here and graph.pieces.together(i, j):
                yield other.stamp, _edge(one, other)

    def priors(self, graph: PoseGraph) -> dict[int, ScalePrior]:
        """What the units of keyframes are in the map's, by the surest visit of each."""
        found: dict[int, ScalePrior] = {}
        for visit in self.visits:
            scale = scale_of(visit.S_level_keyframe) / self.metres
            known = found.get(visit.keyframe_id)
            if visit.keyframe_id in graph.poses and (known is None or visit.sigma < known.sigma):
                found[visit.keyframe_id] = ScalePrior(scale, visit.sigma)
        return found


class FeltEdges:
    """Keeps what a graph was told of a way, to tell it better."""

    def __init__(self) -> None:
        self._way: FeltWay | None = None
        self._edges: dict[int, Edge] = {}

    def tell(self, way: FeltWay | None, graph: PoseGraph) -> bool:
        """Let the graph know what is new or better known; whether anything is."""
        if way is None or way is self._way:
            return False
        self._way = way
        for stamp, edge in way.edges(graph):
            known = self._edges.get(stamp)
            if known is None:
                graph.add_edges([edge])
            else:
                graph.replace_edge(known, edge)
            self._edges[stamp] = edge
        for keyframe_id, prior in way.priors(graph).items():
            graph.expect_scale(keyframe_id, prior)
        return True


def _edge(one: FeltVisit, other: FeltVisit) -> Edge:
    S = np.linalg.inv(one.S_level_keyframe) @ other.S_level_keyframe
    unit = scale_of(other.S_level_keyframe)
    way = float(np.linalg.norm(other.S_level_keyframe[:3, 3] - one.S_level_keyframe[:3, 3]))
    place = float(np.hypot(_PLACE_M, _PLACE_SHARE * way)) / unit
    covariance = np.diag([place**2] * 3 + [_TURN**2] * 3 + [_UNIT**2])
    return Edge(one.keyframe_id, other.keyframe_id, S, covariance)
