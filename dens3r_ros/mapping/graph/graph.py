# SPDX-License-Identifier: Apache-2.0
"""Keyframe poses and the relative poses measured between them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from dens3r_ros.geometry import tangents
from dens3r_ros.mapping.graph.pieces import Pieces

_VISIBLE = 2e-3
"""Change of a pose, in map units and radians, that can be seen."""


@dataclass(frozen=True, eq=False)
class Edge:
    """S_i_j (4, 4): keyframe j's frame and unit to keyframe i's, as measured.

    covariance (7, 7) of a small motion applied on j's side: translation (j's units), rotation
    (radians), logarithm of scale. `loop` edges are solved with a robust kernel.
    """

    i: int
    j: int
    S_i_j: np.ndarray
    covariance: np.ndarray
    loop: bool = False

    @cached_property
    def doubt(self) -> float:
        """How unsure it is, in one number."""
        return float(np.trace(self.covariance))


@dataclass(frozen=True)
class ScalePrior:
    """What a keyframe's own image tells of its length unit: `scale` metres, and the standard
    deviation of the logarithm of that."""

    scale: float
    sigma: float

    def joined(self, other: ScalePrior) -> ScalePrior:
        """Both together, as independent opinions of one unit."""
        own, theirs = self.sigma**-2, other.sigma**-2
        middle = (own * np.log(self.scale) + theirs * np.log(other.scale)) / (own + theirs)
        return ScalePrior(float(np.exp(middle)), float((own + theirs) ** -0.5))


@dataclass(frozen=True, eq=False)
class GraphChanges:
    """What a solver does not know yet: new nodes, new or better edges by number, the numbers of
    edges and the nodes that are gone, and new or better scale priors by node; the nodes that were
    moved beside it; and all nodes that hold a piece of the map in place: None where these are as
    before, and the first node of all where there was none."""

    poses: dict[int, np.ndarray]
    edges: dict[int, Edge]
    gone_edges: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()
    priors: Mapping[int, ScalePrior] = field(default_factory=dict)
    moved: Mapping[int, np.ndarray] = field(default_factory=dict)
    anchors: tuple[int, ...] | None = None


class PoseGraph:
    """Every keyframe's pose S_map_keyframe (4, 4), and every edge; what has not been sent to the
    solver yet is remembered."""

    def __init__(self) -> None:
        self.poses: dict[int, np.ndarray] = {}
        self.moves: dict[int, int] = {}
        """How often each keyframe has moved so far that what shows it should follow."""
        self.priors: dict[int, ScalePrior] = {}
        """Of keyframes whose own image tells metres."""
        self.pieces = Pieces()
        self._shown: dict[int, np.ndarray] = {}
        self._edges: dict[int, Edge] = {}
        self._of: dict[int, dict[int, Edge]] = {}
        self._next = 0
        self._sent = 0
        self._new_nodes: list[int] = []
        self._new_edges: dict[int, Edge] = {}
        self._gone_edges: list[int] = []
        self._gone: list[int] = []
        self._new_priors: dict[int, ScalePrior] = {}
        self._moved: dict[int, np.ndarray] = {}

    @property
    def anchors(self) -> tuple[int, ...]:
        """The keyframes that hold the pieces of the map in place."""
        return tuple(self.pieces)

    @property
    def edges(self) -> list[Edge]:
        """Every edge, oldest first."""
        return list(self._edges.values())

    @property
    def edge_count(self) -> int:
        """How many edges there are."""
        return len(self._edges)

    def add_keyframe(self, keyframe_id: int, S_map_keyframe: np.ndarray) -> None:
        """A new node, where it is believed to be."""
        self.poses[keyframe_id] = self._shown[keyframe_id] = S_map_keyframe
        self.moves[keyframe_id] = 0
        self._of[keyframe_id] = {}
        self.pieces.add(keyframe_id)
        self._new_nodes.append(keyframe_id)

    def move(self, poses: Mapping[int, np.ndarray]) -> None:
        """Take over what a solve has found, for the nodes that are still there."""
        here = [i for i in poses if i in self.poses]
        if not here:
            return
        found = np.stack([poses[i] for i in here])
        off = np.abs(found - np.stack([self._shown[i] for i in here])).max((1, 2))
        for keyframe_id, S, moved in zip(here, found, off > _VISIBLE, strict=True):
            self.poses[keyframe_id] = S
            if moved:
                self.moves[keyframe_id] += 1
                self._shown[keyframe_id] = S.copy()

    def add_edges(self, edges: Iterable[Edge]) -> None:
        """Edges between known nodes."""
        for edge in edges:
            self._put(self._next, edge)
            self._next += 1
            self.pieces.tie(edge.i, edge.j)

    def line_up(self, edge: Edge) -> None:
        """Move the younger of the two pieces that an edge is about to tie to where the edge sees
        it; no solve may be under way."""
        older, younger = sorted((self.pieces[edge.i], self.pieces[edge.j]))
        C = self.poses[edge.i] @ edge.S_i_j @ np.linalg.inv(self.poses[edge.j])
        C = C if self.pieces[edge.i] == older else np.linalg.inv(C)
        moved = {node: C @ self.poses[node] for node in sorted(self.pieces.nodes(younger))}
        self.move(moved)
        self._moved.update(moved)

    def replace_edge(self, old: Edge, new: Edge) -> None:
        """Take a better measurement of the same edge, if that is still there."""
        for number, edge in self._of.get(old.i, {}).items():
            if edge is old:
                self._put(number, new)
                return

    def expect_scale(self, keyframe_id: int, prior: ScalePrior) -> None:
        """What the keyframe's own image tells of its unit, in place of what it told before."""
        self.priors[keyframe_id] = self._new_priors[keyframe_id] = prior

    def remove_edge(self, number: int) -> None:
        """Forget an edge; see `numbered`."""
        edge = self._edges.pop(number)
        del self._of[edge.i][number], self._of[edge.j][number]
        self._new_edges.pop(number, None)
        if number < self._sent:
            self._gone_edges.append(number)

    def remove_keyframe(self, keyframe_id: int) -> None:
        """Forget a node and its edges."""
        for number in list(self._of[keyframe_id]):
            self.remove_edge(number)
        for known in (self.poses, self.moves, self._shown, self._of):
            del known[keyframe_id]  # type: ignore[attr-defined]
        self.pieces.remove(keyframe_id)
        for told in (self.priors, self._new_priors, self._moved):
            told.pop(keyframe_id, None)  # type: ignore[attr-defined]
        if keyframe_id in self._new_nodes:
            self._new_nodes.remove(keyframe_id)
        else:
            self._gone.append(keyframe_id)

    def numbered(self) -> dict[int, Edge]:
        """Every edge by its number, oldest first."""
        return dict(self._edges)

    def take_changes(self) -> GraphChanges:
        """What has changed since this was last asked."""
        poses = {i: self.poses[i] for i in self._new_nodes}
        gone = tuple(self._gone_edges), tuple(self._gone)
        priors, moved = self._new_priors, self._moved
        news = GraphChanges(poses, self._new_edges, *gone, priors, moved, self.anchors)
        self._new_nodes, self._new_edges, self._gone_edges, self._gone = [], {}, [], []
        self._new_priors, self._moved = {}, {}
        self._sent = self._next
        return news

    def take_all(self) -> GraphChanges:
        """The graph as it stands, for a solver that knows nothing of it."""
        self._new_nodes, self._new_edges = list(self.poses), dict(self._edges)
        self._gone_edges, self._gone, self._moved = [], [], {}
        self._new_priors = dict(self.priors)
        return self.take_changes()

    def _put(self, number: int, edge: Edge) -> None:
        for known in (self._edges, self._of[edge.i], self._of[edge.j], self._new_edges):
            known[number] = edge

    def edges_of(self, keyframe_id: int) -> list[Edge]:
        """Every edge that touches the keyframe."""
        return list(self._of[keyframe_id].values())

    def partners(self, keyframe_id: int) -> tuple[int, ...]:
        """Keyframes that a loop ties to this one."""
        loops = (edge for edge in self._of[keyframe_id].values() if edge.loop)
        return tuple(sorted({edge.i + edge.j - keyframe_id for edge in loops}))

    def relative(self, i: int, j: int) -> np.ndarray:
        """S_i_j by the present poses."""
        return np.linalg.inv(self.poses[i]) @ self.poses[j]

    def between(self, i: int, j: int) -> np.ndarray | None:
        """S_i_j by the present poses; None where these do not line up."""
        known = i in self.poses and j in self.poses and self.pieces.together(i, j)
        return self.relative(i, j) if known else None

    def chained(self, i: int, j: int, most: float = np.inf) -> tuple[np.ndarray, np.ndarray] | None:
        """S_i_j and its (7, 7) covariance along the surest chain of edges; None without one whose
        edges' doubts sum up to less than `most`."""
        best: dict[int, float] = {i: 0.0}
        came: dict[int, tuple[int, Edge]] = {}
        queue = [(0.0, i)]
        while queue:
            cost, here = heapq.heappop(queue)
            if here == j:
                return self._along(i, j, came)
            if cost > best[here]:
                continue
            for edge in self._of[here].values():
                there = edge.i + edge.j - here
                further = cost + edge.doubt
                if further < best.get(there, most):
                    best[there], came[there] = further, (here, edge)
                    heapq.heappush(queue, (further, there))
        return None

    def _along(
        self, i: int, j: int, came: dict[int, tuple[int, Edge]]
    ) -> tuple[np.ndarray, np.ndarray]:
        chain = []
        here = j
        while here != i:
            before, edge = came[here]
            chain.append((edge, here == edge.j))
            here = before
        S, covariance = np.eye(4), np.zeros((7, 7))
        for edge, forward in reversed(chain):
            step, spread = edge.S_i_j, edge.covariance
            if not forward:
                spread = moved_covariance(spread, edge.S_i_j)
                step = np.linalg.inv(step)
            covariance = moved_covariance(covariance, np.linalg.inv(step)) + spread
            S = S @ step
        return S, covariance


def scale_of(S: np.ndarray) -> float:
    """The length in the outer frame of one unit of the inner one."""
    return float(np.cbrt(np.linalg.det(S[:3, :3])))


def rigid(S: np.ndarray) -> np.ndarray:
    """The same rotation and translation without the scale."""
    T = S.copy()
    T[:3, :3] /= scale_of(S)
    return T


def moved_covariance(covariance: np.ndarray, S: np.ndarray) -> np.ndarray:
    """Covariance of a motion seen from the other side of S."""
    adjoint = tangents.adjoint(S)
    return adjoint @ covariance @ adjoint.T
