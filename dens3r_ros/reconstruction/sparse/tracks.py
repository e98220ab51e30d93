# SPDX-License-Identifier: Apache-2.0
"""Points of a model with all photos that see them: anchors and sightings that are of one thing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dens3r_ros.reconstruction.sparse.measured import Collection
from dens3r_ros.reconstruction.sparse.models import Model

_MISS = 3.0
"""Pixels that a sighting may be off."""
_MOST = 150_000
"""Points; of more, those are kept that most photos see."""


@dataclass(frozen=True, eq=False)
class PhotoTracks:
    """xyz (P, 3) in the model's world; sightings of them: point (S,) numbers, photo (S,), pixels
    (S, 2) of the engine's image, of no photo twice; `owner` (P,) the sighting that it is coloured
    by."""

    xyz: np.ndarray
    point: np.ndarray
    photo: np.ndarray
    pixels: np.ndarray
    owner: np.ndarray


def tracks_of(collection: Collection, model: Model) -> PhotoTracks | None:
    """The model's points that two photos see at least; None where there are none.

    A sighting at another anchor's very pixel, as keypoints have it, is of that anchor too.
    """
    numbers = _Anchors(collection, model)
    seen = [s for one in collection.measured for s in one.seen if numbers.has(s.anchor, s.other)]
    rows = [numbers.sightings(s.anchor, s.other, s.ids, s.there) for s in seen]
    rows = [row for row in rows if len(row[0])]
    if not rows:
        return None
    anchor, photo, there = (np.concatenate(column) for column in zip(*rows, strict=True))
    same = numbers.at(photo, there)
    joined = same >= 0
    count = len(numbers.photo)
    ties = coo_array((np.ones(joined.sum()), (anchor[joined], same[joined])), (count, count))
    _, track = connected_components(ties, directed=False)
    used = np.zeros(count, bool)
    used[anchor], used[same[joined]] = True, True
    own = np.flatnonzero(used)
    table = np.concatenate([own, anchor]), np.concatenate([numbers.photo[own], photo])
    pixels = np.concatenate([numbers.pixels[own], there])
    return _gathered(track[table[0]], table[1], pixels, numbers.xyz[table[0]], len(own))


def _gathered(
    track: np.ndarray, photo: np.ndarray, pixels: np.ndarray, xyz: np.ndarray, own: int
) -> PhotoTracks | None:
    """One sighting of a point in each photo; the first `own` are anchors' and go before others."""
    _, first = np.unique(np.column_stack([track, photo]), axis=0, return_index=True)
    first = np.sort(first)
    track, photo, pixels = track[first], photo[first], pixels[first]
    anchors = first < own
    _, point, counts = np.unique(track, return_inverse=True, return_counts=True)
    good = counts >= 2
    if good.sum() > _MOST:
        good &= counts >= np.sort(counts)[-_MOST]
    place = np.zeros((len(counts), 3))
    np.add.at(place, point[anchors], xyz[first][anchors])
    place /= np.bincount(point[anchors], minlength=len(counts))[:, None]
    numbers = np.cumsum(good) - 1
    kept = good[point]
    if not kept.any():
        return None
    point = numbers[point[kept]]
    owner = np.unique(point, return_index=True)[1]
    return PhotoTracks(place[good], point, photo[kept], pixels[kept], owner)


class _Anchors:
    """All anchors of a model whose depth is known, numbered through, with their place."""

    def __init__(self, collection: Collection, model: Model) -> None:
        self._model, self._start = model, {}
        self._ids: dict[int, np.ndarray] = {}
        photo, pixels, xyz, count = [], [], [], 0
        for n in model.photos:
            known, lens, T = model.depths[n], model.lenses[n], model.T_world_camera[n]
            at = np.asarray(collection.anchors[n], float)[known.ids]
            slopes = (at - [lens.cx, lens.cy]) / [lens.fx, lens.fy]
            local = np.column_stack([slopes, np.ones(len(at))]) * known.values[:, None]
            photo.append(np.full(len(at), n))
            pixels.append(at)
            xyz.append(local @ T[:3, :3].T + T[:3, 3])
            self._ids[n], self._start[n] = known.ids, count
            count += len(at)
        self.photo, self.pixels = np.concatenate(photo), np.concatenate(pixels)
        self.xyz = np.concatenate(xyz)
        self._order, self._keys = self._sorted()

    def has(self, *photos: int) -> bool:
        """Whether all are of the model."""
        return all(n in self._start for n in photos)

    def sightings(
        self, owner: int, other: int, ids: np.ndarray, there: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Number of each anchor (S,), photo (S,) and pixels (S, 2) of those sightings that are
        where the anchor lies."""
        known = self._ids[owner]
        at = np.searchsorted(known, ids).clip(max=max(len(known) - 1, 0))
        good = known[at] == ids if len(known) else np.zeros(len(ids), bool)
        number, there = self._start[owner] + at[good], there[good].astype(float)
        lens, T = self._model.lenses[other], self._model.T_world_camera[other]
        local = (self.xyz[number] - T[:3, 3]) @ T[:3, :3]
        ahead = local[:, 2] > 1e-9
        depth = np.where(ahead, local[:, 2], 1.0)[:, None]
        at_pixel = local[:, :2] / depth * [lens.fx, lens.fy] + [lens.cx, lens.cy]
        near = ahead & (np.linalg.norm(at_pixel - there, axis=1) < _MISS)
        return number[near], np.full(int(near.sum()), other), there[near]

    def at(self, photo: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """(S,) number of the anchor that lies at just that pixel of a photo, -1 for none."""
        keys = _keys(photo, pixels)
        place = np.searchsorted(self._keys, keys).clip(max=len(self._keys) - 1)
        return np.where(self._keys[place] == keys, self._order[place], -1)

    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        keys = _keys(self.photo, self.pixels)
        order = np.argsort(keys, kind="stable")
        return order, keys[order]


def _keys(photo: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(S,) one whole number for a photo and a pixel, to a sixteenth of one."""
    x, y = np.rint(16 * pixels).astype(np.int64).T
    return (photo.astype(np.int64) << 40) + ((x + 1024) << 20) + (y + 1024)
