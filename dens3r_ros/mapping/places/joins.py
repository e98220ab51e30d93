# SPDX-License-Identifier: Apache-2.0
"""Whether two pieces of the map are one: no graph can contradict a wrong answer, so that a weak
likeness waits for a second one that says the same."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from dens3r_ros.geometry import tangents
from dens3r_ros.mapping.graph.graph import Edge, PoseGraph
from dens3r_ros.mapping.keyframes.linking import Link

_STRONG = (0.4, 0.8)
"""Share of pixels matched, and of matches that agree, both ways, from which on one is enough."""
_SAME = (0.25, 0.15, 0.25)
"""What two may differ by: a share of the depth, radians, logarithm of scale."""
_REMEMBERED = 20


@dataclass(frozen=True, eq=False)
class _Proposal:
    """Edges both ways between keyframes of two pieces, and a usual depth in the frame of the
    first edge's second keyframe, in its unit."""

    edges: list[Edge]
    depth: float


class JoinProposals:
    """Remembers the loops between pieces that did not suffice."""

    def __init__(self) -> None:
        self._waiting: deque[_Proposal] = deque(maxlen=_REMEMBERED)

    def judge(self, forth: Link, home: Link, graph: PoseGraph) -> list[Edge]:
        """The edges by which the two keyframes' pieces should be joined now, if they should."""
        proposal = _Proposal([forth.edge, home.edge], home.i.canonical.median_depth)
        if _strong(forth) and _strong(home):
            return proposal.edges
        for other in self._waiting:
            if _independent(proposal, other) and _same(proposal, other, graph):
                return proposal.edges + other.edges
        self._waiting.append(proposal)
        return []


def _strong(link: Link) -> bool:
    matched, inliers = _STRONG
    return link.track.matched >= matched and link.track.inliers >= inliers


def _independent(one: _Proposal, other: _Proposal) -> bool:
    """Whether two proposals look from two keyframes."""
    return one.edges[0].j != other.edges[0].j


def _same(one: _Proposal, other: _Proposal, graph: PoseGraph) -> bool:
    """Whether two proposals lay the same two pieces over each other alike."""
    edge, earlier = one.edges[0], other.edges[0]
    if earlier.i not in graph.poses or earlier.j not in graph.poses:
        return False
    pieces = graph.pieces
    if not (pieces.together(edge.i, earlier.i) and pieces.together(edge.j, earlier.j)):
        return False
    believed = graph.relative(edge.i, earlier.i) @ earlier.S_i_j
    believed = believed @ graph.relative(earlier.j, edge.j)
    off = tangents.log(np.linalg.inv(edge.S_i_j) @ believed)
    shift = float(np.linalg.norm(off[:3])) / one.depth
    turned, grown = float(np.linalg.norm(off[3:6])), abs(float(off[6]))
    return bool(shift < _SAME[0] and turned < _SAME[1] and grown < _SAME[2])
