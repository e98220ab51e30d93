# SPDX-License-Identifier: Apache-2.0
"""Which image is placed by which other: a tree over images, by how many matches they share."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import ward
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from scipy.spatial.distance import squareform

_MATCHES_OF_BLOCK = 3
_STRANGERS = 2.0


def kinematic_tree(matches: np.ndarray, blocks: np.ndarray) -> tuple[int, list[tuple[int, int]]]:
    """The root, and (parent, child) from it outwards.

    `matches` (N, N) is the symmetric number of matches of every pair, `blocks` (N,) the number of
    anchors of every image. Groups of images are joined by Ward's method, each group standing for
    the image in it that has most in common with the others.
    """
    if len(matches) == 1:
        return 0, []
    alike = np.minimum(matches / (_MATCHES_OF_BLOCK * np.minimum(blocks[:, None], blocks)), 1.0)
    np.fill_diagonal(alike, 1.0)
    apart = np.where(alike > 0, 1.0 - alike, _STRANGERS)
    np.fill_diagonal(apart, 0.0)
    edges = _merged(ward(squareform(apart, checks=False)), alike.copy())
    rows, columns = np.array(edges + [(b, a) for a, b in edges]).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=alike.shape).tocsr()
    return _from_the_middle(minimum_spanning_tree(graph))


def _merged(linkage: np.ndarray, alike: np.ndarray) -> list[tuple[int, int]]:
    """The edge that each merge adds, between the images that stand for the groups."""
    standing = list(range(len(alike)))
    edges = []
    for first, second in linkage[:, :2].astype(int):
        a, b = standing[first], standing[second]
        edges.append((a, b))
        chosen = a if alike[a].sum() > alike[b].sum() else b
        alike[chosen] = np.maximum(alike[a], alike[b])
        standing.append(chosen)
    return edges


def _from_the_middle(tree: coo_array) -> tuple[int, list[tuple[int, int]]]:
    far = int(_order(tree, 0)[0][-1])
    order_a = _order(tree, far)[0]
    order_b = _order(tree, int(order_a[-1]))[0]
    ranks = np.minimum(np.argsort(order_a), np.argsort(order_b))
    root = int(ranks.argmax())
    order, parents = _order(tree, root)
    return root, [(int(parents[child]), int(child)) for child in order[1:]]


def _order(tree: coo_array, start: int) -> tuple[np.ndarray, np.ndarray]:
    return breadth_first_order(tree, start, directed=False)
