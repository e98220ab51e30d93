# SPDX-License-Identifier: Apache-2.0
"""Photos that averaging left out, placed by the points of a model that they show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import poselib

from dens3r_ros.reconstruction.sparse.coarse import Coarse
from dens3r_ros.reconstruction.sparse.measured import (
    AnchorSightings,
    Collection,
    Depths,
    MeasuredPair,
)

_PIXELS = 4.0
_FEWEST, _SHARE = 20, 0.4
"""Points that must agree with a place, and their share of those that could."""
_SEARCH = {"max_reproj_error": _PIXELS, "seed": 0, "max_iterations": 2000, "min_iterations": 100}


def placed_by_points(
    collection: Collection,
    state: Coarse,
    measured: Sequence[MeasuredPair],
    focals: dict[int, float],
) -> Coarse:
    """The same with more photos, and depth of their anchors where a pair with one of the model
    knows it."""
    number = {photo: n for n, photo in enumerate(state.photos)}
    seen: dict[int, list[AnchorSightings]] = defaultdict(list)
    for one in measured:
        for sighting in one.seen:
            if sighting.anchor in number and sighting.other not in number:
                seen[sighting.other].append(sighting)
    photos, R, c, depths = list(state.photos), list(state.R), list(state.c), dict(state.depths)
    for photo, sightings in sorted(seen.items(), key=lambda item: -len(item[1])):
        points, pixels = _points(collection, state, sightings, number, focals)
        found = _pose(collection, photo, points, pixels, focals)
        if found is not None:
            photos.append(photo)
            R.append(found[0])
            c.append(found[1])
            depths[photo] = Depths(np.zeros(0, int), np.zeros(0))
    return Coarse(photos, np.array(R), np.array(c), depths)


def _points(
    collection: Collection,
    state: Coarse,
    sightings: list[AnchorSightings],
    number: dict[int, int],
    focals: dict[int, float],
) -> tuple[np.ndarray, np.ndarray]:
    """(M, 3) points of the model and the pixels (M, 2) at which they are seen."""
    points, pixels = [np.zeros((0, 3))], [np.zeros((0, 2))]
    for one in sightings:
        known = state.depths[one.anchor]
        good = np.isin(one.ids, known.ids)
        depth = known.values[np.searchsorted(known.ids, one.ids[good])]
        camera = collection.cameras[one.anchor]
        factor = np.exp(focals.get(camera.group, 0.0))
        lens = camera.lens
        slopes = collection.anchors[one.anchor][one.ids[good]] - [lens.cx, lens.cy]
        slopes = slopes / (np.array([lens.fx, lens.fy]) * factor)
        n = number[one.anchor]
        rays = np.column_stack([slopes, np.ones(len(slopes))])
        points.append((rays * depth[:, None]) @ state.R[n].T + state.c[n])
        pixels.append(one.there[good])
    return np.concatenate(points), np.concatenate(pixels)


def _pose(
    collection: Collection,
    photo: int,
    points: np.ndarray,
    pixels: np.ndarray,
    focals: dict[int, float],
) -> tuple[np.ndarray, np.ndarray] | None:
    if len(points) < _FEWEST:
        return None
    camera = collection.cameras[photo]
    lens, factor = camera.lens, float(np.exp(focals.get(camera.group, 0.0)))
    told = {
        "model": "PINHOLE",
        "width": lens.width,
        "height": lens.height,
        "params": [lens.fx * factor, lens.fy * factor, lens.cx, lens.cy],
    }
    found, info = poselib.estimate_absolute_pose(pixels, points, told, _SEARCH, {})
    if info["num_inliers"] < max(_FEWEST, _SHARE * len(points)):
        return None
    R = np.array(found.R).T
    return R, -R @ np.array(found.t)
