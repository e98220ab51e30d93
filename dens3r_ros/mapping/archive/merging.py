# SPDX-License-Identifier: Apache-2.0
"""Two keyframes that see the same become one: their edges and their depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import minimum_spanning_tree

from dens3r_ros.mapping.archive.stored import Stored, small_camera, small_points
from dens3r_ros.mapping.graph.graph import Edge, PoseGraph, moved_covariance, scale_of
from dens3r_ros.mapping.tracking.depth.fusion import Canonical, carried

EDGES_PER_KEYFRAME = 16
"""More edges than so many a keyframe, the least sure are let go of."""
_THINNED = 0.95
"""Share of that number that is left then."""
_SAME = 0.05
"""Relative difference of depths up to which two keyframes see one surface."""


def merge_nodes(graph: PoseGraph, gone: int, into: int) -> np.ndarray:
    """Let a node leave the graph and another one take over its edges; S_into_gone (4, 4).

    An edge to a node that `into` is tied to already is given up: it would say much the same, with
    the error of the way between the two added.
    """
    S = graph.relative(into, gone)
    chained = graph.chained(into, gone)
    spread = np.zeros((7, 7)) if chained is None else chained[1]
    tied = {edge.i + edge.j - into for edge in graph.edges_of(into)} | {into}
    passed = [
        _passed_on(edge, gone, into, S, spread)
        for edge in graph.edges_of(gone)
        if edge.i + edge.j - gone not in tied
    ]
    if gone in graph.priors:
        told = replace(graph.priors[gone], scale=graph.priors[gone].scale / scale_of(S))
        known = graph.priors.get(into)
        graph.expect_scale(into, told if known is None else told.joined(known))
    graph.remove_keyframe(gone)
    graph.add_edges(passed)
    return S


def _passed_on(
    edge: Edge, gone: int, into: int, S_into_gone: np.ndarray, spread: np.ndarray
) -> Edge:
    """The edge measured from `into`, by the way over `gone` of covariance `spread`."""
    if edge.i == gone:
        way = moved_covariance(spread, np.linalg.inv(edge.S_i_j))
        return replace(
            edge, i=into, S_i_j=S_into_gone @ edge.S_i_j, covariance=way + edge.covariance
        )
    S = edge.S_i_j @ np.linalg.inv(S_into_gone)
    whole = moved_covariance(edge.covariance + spread, S_into_gone)
    return replace(edge, j=into, S_i_j=S, covariance=whole)


def thin_edges(graph: PoseGraph) -> None:
    """Keep the number of edges bounded, and everything tied together."""
    numbered = graph.numbered()
    most = EDGES_PER_KEYFRAME * len(graph.poses)
    if len(numbered) <= most:
        return
    needed = _spanning(numbered)
    spare = [number for number in numbered if number not in needed]
    spare.sort(key=lambda number: -numbered[number].doubt)
    for number in spare[: len(numbered) - int(_THINNED * most)]:
        graph.remove_edge(number)


def _spanning(numbered: Mapping[int, Edge]) -> set[int]:
    """Edges, the surest, that tie everything together."""
    rows = {n: row for row, n in enumerate({end for e in numbered.values() for end in (e.i, e.j)})}
    surest: dict[tuple[int, int], tuple[float, int]] = {}
    for number, edge in numbered.items():
        a, b = sorted((rows[edge.i], rows[edge.j]))
        told = (edge.doubt, number)
        surest[a, b] = min(surest.get((a, b), told), told)
    a, b = np.array(list(surest)).T
    weights = [weight for weight, _ in surest.values()]
    tree = minimum_spanning_tree(coo_matrix((weights, (a, b)), shape=(len(rows), len(rows))))
    return {surest[int(i), int(j)][1] for i, j in zip(*tree.nonzero(), strict=True)}


def fused(into: Stored, gone: Stored, S_into_gone: np.ndarray) -> Stored:
    """A stored keyframe with what another one saw of the same surfaces averaged in."""
    weight = (gone.confidence.astype(np.float32) - 1) * gone.folds
    seen = Canonical(small_points(gone), np.where(gone.depth > 0, weight, 0), gone.folds)
    points, theirs = carried(seen, S_into_gone, small_camera(into), share=1.0)
    depth = into.depth.astype(np.float32)
    mine = (into.confidence.astype(np.float32) - 1) * into.folds
    apart = np.abs(points[..., 2] / np.where(depth > 0, depth, 1) - 1)
    same = (depth > 0) & (mine > 0) & (theirs > 0) & (apart < _SAME)
    share = np.where(same, theirs / np.maximum(mine + theirs, 1e-9), 0)
    mixed = depth + share * (points[..., 2] - depth)
    return replace(
        into,
        depth=mixed.astype(np.float16),
        folds=into.folds + gone.folds * float(same.mean()),
        revision=into.revision + 1,
    )
