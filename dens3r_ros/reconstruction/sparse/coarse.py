# SPDX-License-Identifier: Apache-2.0
"""A first guess of where photos stand: directions, units and positions, averaged over pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dens3r_ros.reconstruction.sparse.measured import Depths, MeasuredPair
from dens3r_ros.reconstruction.sparse.pieces import pieces, within
from dens3r_ros.reconstruction.sparse.positions import anchor_depths, centres, units
from dens3r_ros.reconstruction.sparse.rotations import averaged, contradicted, misses

_TURNED = np.deg2rad(10.0)
"""Radians that a pair may miss the directions of its photos by, and still be believed."""
_STRAYED = 0.5
"""Share of its own length that a pair may miss the positions of its photos by."""


@dataclass(frozen=True, eq=False)
class Coarse:
    """Photos (N,) with R (N, 3, 3), c (N, 3), and what is known of anchors' depth; all in one
    unit."""

    photos: list[int]
    R: np.ndarray
    c: np.ndarray
    depths: dict[int, Depths]


def believed(measured: Sequence[MeasuredPair]) -> list[MeasuredPair]:
    """Those that triangles of rotations do not contradict."""
    best: dict[tuple[int, int], MeasuredPair] = {}
    for one in measured:
        key = min(one.a, one.b), max(one.a, one.b)
        if key not in best or one.support > best[key].support:
            best[key] = one
    rotations = {
        key: one.T_a_b[:3, :3] if one.a == key[0] else one.T_a_b[:3, :3].T
        for key, one in best.items()
    }
    wrong = contradicted(rotations)
    return [one for one in measured if (min(one.a, one.b), max(one.a, one.b)) not in wrong]


def coarse_scene(photos: list[int], measured: Sequence[MeasuredPair]) -> Coarse | None:
    """The largest group of photos that pairs place among each other; None where no two are."""
    found = _directed(photos, measured)
    if found is None:
        return None
    photos, R, measured = found
    measured = [one for one in measured if one.shifted]
    for _ in range(3):
        scales = units(measured) if measured else np.zeros(0)
        known = np.isfinite(scales)
        measured = [one for one, good in zip(measured, known, strict=True) if good]
        group = pieces(photos, ((one.a, one.b) for one in measured))[0]
        if len(group) < 2:
            return None
        R = R[[photos.index(photo) for photo in group]]
        photos, inside = group, set(group)
        kept = [n for n, one in enumerate(measured) if one.a in inside]
        measured, scales = [measured[n] for n in kept], scales[known][kept]
        c, off = centres(len(photos), _numbered(measured, photos), scales, R)
        good = off < _STRAYED
        if good.all():
            break
        measured = [one for one, fits in zip(measured, good, strict=True) if fits]
    return Coarse(photos, R, c, anchor_depths(measured, units(measured), photos))


def _directed(
    photos: list[int], measured: Sequence[MeasuredPair]
) -> tuple[list[int], np.ndarray, list[MeasuredPair]] | None:
    """The largest group whose directions agree, those, and the pairs that say so."""
    while True:
        photos = pieces(photos, ((one.a, one.b) for one in measured))[0]
        if len(photos) < 2:
            return None
        measured = within(measured, photos)
        number = {photo: n for n, photo in enumerate(photos)}
        edges = [(number[one.a], number[one.b]) for one in measured]
        rotations = np.stack([one.T_a_b[:3, :3] for one in measured])
        weights = np.sqrt([float(min(one.support, 400)) for one in measured])
        R = averaged(len(photos), edges, rotations, weights)
        good = misses(R, edges, rotations) < _TURNED
        if good.all():
            return photos, R, list(measured)
        measured = [one for one, fits in zip(measured, good, strict=True) if fits]


def _numbered(measured: Sequence[MeasuredPair], photos: list[int]) -> list[MeasuredPair]:
    number = {photo: n for n, photo in enumerate(photos)}
    return [replace(one, a=number[one.a], b=number[one.b]) for one in measured]
