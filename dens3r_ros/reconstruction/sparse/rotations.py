# SPDX-License-Identifier: Apache-2.0
"""Directions of all photos from relative rotations of pairs, some of which are wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from scipy.sparse.linalg import lsqr
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.rotation import turn

Edge = tuple[int, int]
_CLOSED = np.deg2rad(8.0)
"""Radians by which the three rotations of a triangle may fail to come back."""
_SCALES = np.deg2rad([20.0, 10.0, 5.0, 3.0, 3.0, 2.0, 2.0, 2.0])
"""Radians from which on a rotation counts for less, round by round."""


def contradicted(rotations: Mapping[Edge, np.ndarray]) -> set[Edge]:
    """Pairs (i, j) whose R_i_j close fewer triangles with two others than they fail to."""
    around: dict[int, set[int]] = defaultdict(set)
    for i, j in rotations:
        around[i].add(j)
        around[j].add(i)
    good: dict[Edge, int] = defaultdict(int)
    bad: dict[Edge, int] = defaultdict(int)
    for i, j in rotations:
        for k in around[i] & around[j]:
            if k < max(i, j):
                continue
            off = _between(rotations, i, j) @ _between(rotations, j, k) @ _between(rotations, k, i)
            counted = good if turn(off) < _CLOSED else bad
            for one, other in ((i, j), (j, k), (i, k)):
                counted[min(one, other), max(one, other)] += 1
    return {edge for edge in rotations if bad[edge] > 2 * good[edge] and bad[edge] > 1}


def _between(rotations: Mapping[Edge, np.ndarray], i: int, j: int) -> np.ndarray:
    return rotations[i, j] if (i, j) in rotations else rotations[j, i].T


def averaged(
    count: int, edges: Sequence[Edge], rotations: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """R_world_photo (count, 3, 3) that agree best with R_i_j (E, 3, 3) of edges (i, j), (E,)
    weights; all photos hang together by the edges."""
    R = _along_tree(count, edges, rotations, weights)
    i, j = np.array(edges).T
    rows = np.arange(3 * len(i)).reshape(-1, 3)
    at = np.repeat(np.arange(3 * len(i)), 3)
    for scale in _SCALES:
        off = _logs(rotations.transpose(0, 2, 1) @ R[i].transpose(0, 2, 1) @ R[j])
        robust = np.sqrt(weights / (1 + (off**2).sum(1) / scale**2))[:, None]
        values = [
            (-rotations.transpose(0, 2, 1) * robust[..., None]).ravel(),
            np.repeat(robust, 3, 1).ravel(),
        ]
        columns = [
            np.repeat(3 * i[:, None] + np.arange(3), 3, 0).ravel(),
            (3 * j[:, None] + np.arange(3)).ravel(),
        ]
        A = coo_array(
            (np.concatenate(values), (np.concatenate([at, rows.ravel()]), np.concatenate(columns))),
            (3 * len(i), 3 * count),
        ).tocsr()
        step = lsqr(A, -(robust * off).ravel(), damp=1e-6, atol=1e-10, btol=1e-10)[0]
        R = R @ Rotation.from_rotvec(step.reshape(-1, 3)).as_matrix()
    return R


def misses(R: np.ndarray, edges: Sequence[Edge], rotations: np.ndarray) -> np.ndarray:
    """(E,) radians by which relative rotations differ from those of the photos."""
    i, j = np.array(edges).T
    return np.asarray(turn(rotations.transpose(0, 2, 1) @ R[i].transpose(0, 2, 1) @ R[j]))


def _along_tree(
    count: int, edges: Sequence[Edge], rotations: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    i, j = np.array(edges).T
    cost = coo_array((1 / weights, (i, j)), (count, count)).tocsr()
    known = dict(zip(edges, rotations, strict=True))
    root = int(np.bincount(np.concatenate([i, j]), np.tile(weights, 2), count).argmax())
    order, parents = breadth_first_order(minimum_spanning_tree(cost), root, directed=False)
    R = np.tile(np.eye(3), (count, 1, 1))
    for child in order[1:]:
        R[child] = R[parents[child]] @ _between(known, int(parents[child]), int(child))
    return R


def _logs(R: np.ndarray) -> np.ndarray:
    return Rotation.from_matrix(R).as_rotvec()
