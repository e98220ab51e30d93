# SPDX-License-Identifier: Apache-2.0
"""Splats of posed images with depth: usable at once, and where optimisation starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dens3r_ros.splats.blending import blended
from dens3r_ros.splats.discs import Discs, discs_of, joined, splats_of_discs
from dens3r_ros.splats.splats import Splats, no_splats
from dens3r_ros.splats.view import PhotoView

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SplatOptions:
    """How splats are made of views.

    min_confidence  points of less are left out; 1 is none
    voxel           side of the cubes that one splat stands for, in the world's unit; where it is
                    0, they are about as wide as the finest pixel that sees them
    """

    min_confidence: float = 2.0
    voxel: float = 0.0


_CUBE = 1.0
"""Side of a cube that one splat stands for, in pixels there."""
_COVERED = 0.5
"""Share of a cube's side from which on finer splats cover it."""


def splats_of_views(
    views: Sequence[PhotoView],
    frame: str = "map",
    metric: bool = False,
    options: SplatOptions | None = None,
    progress: Progress = lambda done, total: None,
) -> Splats:
    """One splat per cube that a sure point lies in: a disc along the surface, as wide as its pixel
    there; colour of the pixel, opacity by its confidence. Depths that agree are averaged before;
    what moves is left out."""
    options = options or SplatOptions()
    parts = []
    for n, view in enumerate(blended(views)):
        parts.append(_thinned(discs_of(view, options.min_confidence), options.voxel))
        progress(n + 1, len(views))
    if not parts:
        return no_splats()
    whole = _thinned(joined(parts), options.voxel)
    return splats_of_discs(whole, options.voxel, frame, metric)


def _thinned(discs: Discs, voxel: float) -> Discs:
    """One of each cube: that of the finest pixel."""
    if voxel <= 0:
        return _thinned_by_pixels(discs)
    order = np.argsort(discs.pixels, kind="stable")
    first = np.unique(_keys(discs.points[order], voxel), return_index=True)[1]
    return discs.chosen(np.sort(order[first]))


def _thinned_by_pixels(discs: Discs) -> Discs:
    """Cubes as wide as the pixel of each point, to a power of two, from the finest to the widest;
    none where finer ones cover most of the cube's side already."""
    levels = np.round(np.log2(discs.pixels.clip(1e-30))).astype(int)
    kept = np.zeros(0, np.int64)
    for level in np.unique(levels):
        here = (levels == level).nonzero()[0]
        here = here[np.argsort(discs.pixels[here], kind="stable")]
        side = _CUBE * 2.0**level
        places = np.concatenate([discs.points[kept], discs.points[here]])
        cubes = np.unique(_keys(places, side), return_inverse=True)[1]
        finer, own = cubes[: len(kept)], cubes[len(kept) :]
        area = np.bincount(finer, discs.pixels[kept] ** 2, cubes.max(initial=-1) + 1)
        cube, first = np.unique(own, return_index=True)
        kept = np.concatenate([kept, np.sort(here[first[area[cube] < _COVERED * side**2]])])
    return discs.chosen(np.sort(kept))


def _keys(points: np.ndarray, side: float) -> np.ndarray:
    """One number of each cube; different ones of one map practically never share it."""
    cells = np.floor(points / side).astype(np.int64)
    mixed = np.zeros(len(cells), np.uint64)
    for column in cells.T.astype(np.uint64):
        mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
    return mixed
