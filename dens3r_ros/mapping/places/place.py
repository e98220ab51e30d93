# SPDX-License-Identifier: Apache-2.0
"""Finds keyframes that look like an image: by the whole view first, then by matching corners."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dens3r_ros.mapping.places.place_descriptor import (
    CORNERS,
    PlaceDescriptor,
    Vocabulary,
    describe,
    shipped_vocabulary,
)

_SHORTLIST = 60
"""Keyframes whose corners are matched: those whose view is most alike."""
_SAME_CORNER = 50
"""Bits by which two descriptors of one corner may differ."""
_CORNER_SHARE = 4.0
"""How much matched corners count against the likeness of the view."""
_WORDS = 256
_ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)
"""Set bits of a byte, for versions of NumPy that cannot count them."""
_IN_VIEWS = np.zeros(0, np.float32)
"""Stands for a view that is kept with all others in one array."""

DESCRIPTOR_BYTES = 4 * 1024 + CORNERS * (32 + 1) + 1024
"""Most bytes that one remembered keyframe takes."""


class Places:
    """The place index of a mapper; see `PlaceIndex`."""

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        self._vocabulary = vocabulary or shipped_vocabulary()
        self._known: dict[int, PlaceDescriptor] = {}
        self._rows: dict[int, int] = {}
        self._views = np.zeros((16, self._vocabulary.middle.size), np.float32)
        self._ids: list[int] = []
        self._latest: tuple[np.ndarray, PlaceDescriptor] | None = None

    def __len__(self) -> int:
        return len(self._known)

    def add(self, keyframe_id: int, image: np.ndarray) -> None:
        """Remember a keyframe by its (H, W, 3) uint8 RGB image."""
        self.put(keyframe_id, self._described(image))

    def put(self, keyframe_id: int, descriptor: PlaceDescriptor) -> None:
        """Remember a keyframe by its descriptor."""
        if keyframe_id in self._known:
            self.remove(keyframe_id)
        if len(self._ids) == len(self._views):
            self._views = np.concatenate((self._views, np.zeros_like(self._views)))
        self._rows[keyframe_id] = len(self._ids)
        self._views[len(self._ids)] = descriptor.view
        self._ids.append(keyframe_id)
        self._known[keyframe_id] = replace(descriptor, view=_IN_VIEWS)

    def descriptor(self, keyframe_id: int) -> PlaceDescriptor:
        """What is remembered of a keyframe."""
        view = self._views[self._rows[keyframe_id]].copy()
        return replace(self._known[keyframe_id], view=view)

    def remove(self, keyframe_id: int) -> None:
        """Forget a keyframe."""
        del self._known[keyframe_id]
        row, moved = self._rows.pop(keyframe_id), self._ids.pop()
        if moved != keyframe_id:
            self._ids[row], self._rows[moved] = moved, row
            self._views[row] = self._views[len(self._ids)]

    def query(self, image: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Up to k (keyframe id, similarity in 0..1) of remembered keyframes, best first."""
        return self._like(self._described(image), k)

    def alike(self, keyframe_id: int, k: int) -> list[tuple[int, float]]:
        """The same for a remembered keyframe, itself left out."""
        found = self._like(self.descriptor(keyframe_id), k + 1)
        return [one for one in found if one[0] != keyframe_id][:k]

    def _like(self, asked: PlaceDescriptor, k: int) -> list[tuple[int, float]]:
        if not self._ids:
            return []
        likeness = self._views[: len(self._ids)] @ asked.view
        short = np.argsort(-likeness, kind="stable")[: max(_SHORTLIST, k)]
        corners = _common_corners(asked, [self._known[self._ids[row]] for row in short])
        score = np.maximum(likeness[short] + _CORNER_SHARE * corners, 0)
        best = np.argsort(-score, kind="stable")[:k]
        return [(self._ids[short[n]], float(score[n] / (1 + score[n]))) for n in best]

    def _described(self, image: np.ndarray) -> PlaceDescriptor:
        """A new keyframe is asked for and then remembered: its image is described once."""
        if self._latest is None or self._latest[0] is not image:
            self._latest = (image, describe(image, self._vocabulary))
        return self._latest[1]


def _common_corners(asked: PlaceDescriptor, others: list[PlaceDescriptor]) -> np.ndarray:
    """(M,) mean over the asked corners of how well each is found in each other place; corners
    that are found everywhere tell nothing."""
    if not len(asked.words):
        return np.zeros(len(others), np.float32)
    owner = np.repeat(np.arange(len(others)), [len(other.words) for other in others])
    words = np.concatenate([other.words for other in others])
    corners = np.concatenate([other.corners for other in others])
    order = np.argsort(words, kind="stable")
    begins = np.searchsorted(words[order], np.arange(_WORDS + 1))
    mine, theirs = _pairs_of_words(asked.words.astype(int), begins)
    theirs = order[theirs]
    bits = hamming(asked.corners[mine], corners[theirs])
    same = bits < _SAME_CORNER
    found = np.zeros((len(asked.words), len(others)), np.float32)
    alike = 1 - bits[same] / np.float32(_SAME_CORNER + 10)
    np.maximum.at(found, (mine[same], owner[theirs[same]]), alike)
    rarity = np.log((len(others) + 1) / ((found > 0).sum(1) + 0.5))
    return (found * rarity[:, None]).mean(0)


def _pairs_of_words(words: np.ndarray, begins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index pairs of every corner with all entries of its word, in a list sorted by words."""
    counts = begins[words + 1] - begins[words]
    mine = np.repeat(np.arange(len(words)), counts)
    inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return mine, inside + np.repeat(begins[words], counts)


def hamming(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) differing bits of (N, 4) uint64 each."""
    differing = a ^ b
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(differing).sum(-1, dtype=np.int32)
    return _ONES[differing.view(np.uint8)].sum(-1, dtype=np.int32)
