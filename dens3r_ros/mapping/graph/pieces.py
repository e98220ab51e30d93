# SPDX-License-Identifier: Apache-2.0
"""Which keyframes hang together, and which lie in a piece of the map by itself."""

from __future__ import annotations

from collections.abc import Iterator


class Pieces:
    """Nodes of a graph by the piece that edges have made of them; a piece is named by its oldest
    node, the one with the smallest id."""

    def __init__(self) -> None:
        self._of: dict[int, int] = {}
        self._nodes: dict[int, set[int]] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._nodes))

    def __getitem__(self, node: int) -> int:
        """The piece of a node."""
        return self._of[node]

    def nodes(self, piece: int) -> set[int]:
        """Every node of a piece."""
        return set(self._nodes[piece])

    def together(self, i: int, j: int) -> bool:
        """Whether two nodes are of one piece."""
        return self._of[i] == self._of[j]

    def names(self) -> dict[int, int]:
        """The piece of every node, as it is now."""
        return dict(self._of)

    def add(self, node: int) -> None:
        """A node that nothing is tied to."""
        self._of[node], self._nodes[node] = node, {node}

    def tie(self, i: int, j: int) -> None:
        """An edge lies between two nodes."""
        older, younger = sorted((self._of[i], self._of[j]))
        if older != younger:
            self._name(self._nodes.pop(younger) | self._nodes.pop(older), older)

    def remove(self, node: int) -> None:
        """A node is gone, and what hung together goes on doing so by others."""
        piece = self._of.pop(node)
        self._nodes[piece].remove(node)
        if piece == node:
            rest = self._nodes.pop(piece)
            if rest:
                self._name(rest, min(rest))

    def _name(self, nodes: set[int], piece: int) -> None:
        self._nodes[piece] = nodes
        self._of.update(dict.fromkeys(nodes, piece))
