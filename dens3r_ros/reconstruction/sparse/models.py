# SPDX-License-Identifier: Apache-2.0
"""Cameras of all photos of a collection: one model for each group that hangs together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.reconstruction.sparse.bundle import (
    BundleProblem,
    BundleScene,
    residuals,
    solve,
)
from dens3r_ros.reconstruction.sparse.coarse import Coarse, believed, coarse_scene
from dens3r_ros.reconstruction.sparse.measured import (
    AnchorSightings,
    Collection,
    Depths,
    MeasuredPair,
)
from dens3r_ros.reconstruction.sparse.placing import placed_by_points

_ANY_WEIGHT = 1.0
_METRIC_WEIGHT = 0.2
_MOST_SIGHTINGS = 150_000
"""Of all pairs together: more take time and say the same."""
_MISS = 6.0
"""Pixels that a sighting may be off and still speak for its photo."""
_FEWEST = 15
"""AnchorSightings that agree, without which a photo is left out."""
_ROUNDS = 3
_BEST_SHIFT = 0.15
"""Of the depth, between two photos by which it is to be found."""


@dataclass(frozen=True, eq=False)
class Model:
    """Photos with T_world_camera (4, 4), lenses at the engine's pixels and depth of anchors, by
    photo; `tied` pairs of photos that see the same."""

    photos: list[int]
    T_world_camera: dict[int, np.ndarray]
    lenses: dict[int, Intrinsics]
    depths: dict[int, Depths]
    tied: list[tuple[int, int]]

    def neighbours(self, most: int) -> list[tuple[int, int]]:
        """Of every photo up to `most` of those tied to it, by which depth is told best: neither
        from too near nor from too far."""
        around: dict[int, list[int]] = defaultdict(list)
        for a, b in self.tied:
            around[a].append(b)
            around[b].append(a)
        pairs = []
        for photo, others in sorted(around.items()):
            depth = self.depths[photo].values
            usual = float(np.median(depth)) if len(depth) else 1.0
            at = self.T_world_camera[photo][:3, 3]
            shift = [np.linalg.norm(self.T_world_camera[n][:3, 3] - at) / usual for n in others]
            order = np.argsort(np.abs(np.log(np.maximum(shift, 1e-6) / _BEST_SHIFT)))
            pairs += [(photo, others[n]) for n in order[:most]]
        return pairs


def models_of(
    collection: Collection, fewest: int = 2, tell: Callable[[str], None] = lambda _: None
) -> list[Model]:
    """The largest model first, each of `fewest` photos at least."""
    measured = believed(collection.measured)
    left = sorted(collection.cameras)
    found: list[Model] = []
    while len(left) >= fewest:
        inside = set(left)
        among = [one for one in measured if one.a in inside and one.b in inside]
        coarse = coarse_scene(left, among)
        if coarse is None or len(coarse.photos) < fewest:
            break
        tell(f"model {len(found) + 1}: {len(coarse.photos)} photos")
        model = _refined(collection, coarse, among)
        if len(model.photos) < fewest:
            left = sorted(inside - set(coarse.photos))
            continue
        found.append(model)
        left = sorted(inside - set(model.photos))
    return sorted(found, key=lambda model: len(model.photos), reverse=True)


def _refined(collection: Collection, coarse: Coarse, measured: Sequence[MeasuredPair]) -> Model:
    state, problem = coarse, None
    focals: dict[int, float] = {}
    for round_ in range(_ROUNDS):
        if round_:
            state = placed_by_points(collection, state, measured, focals)
        problem, scene, ids = _problem(collection, state, measured, focals)
        if problem is None or scene is None:
            return Model([], {}, {}, {}, [])
        scene = solve(problem, scene)
        good = np.linalg.norm(residuals(problem, scene), axis=1) < _MISS
        focals = _focals(collection, state.photos, problem, scene, focals)
        before = len(state.photos)
        state = _kept(state, problem, scene, good, ids)
        if round_ and len(state.photos) == before:
            break
    return _model(collection, state, measured, focals)


def _problem(
    collection: Collection,
    state: Coarse,
    measured: Sequence[MeasuredPair],
    focals: dict[int, float],
) -> tuple[BundleProblem | None, BundleScene | None, np.ndarray]:
    """What the bundle takes; and (A, 2) photo and number of each anchor."""
    number = {photo: n for n, photo in enumerate(state.photos)}
    seen = [s for one in measured for s in one.seen if s.anchor in number and s.other in number]
    seen = _thinned(seen)
    keys, there, seen_by = [], [], []
    for one in seen:
        known = np.isin(one.ids, state.depths[one.anchor].ids)
        keys.append(np.column_stack([np.full(known.sum(), number[one.anchor]), one.ids[known]]))
        there.append(one.there[known])
        seen_by.append(np.full(known.sum(), number[one.other]))
    if not keys or not sum(map(len, keys)):
        return None, None, np.zeros((0, 2), int)
    ids, anchor = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    pixels, depth = np.zeros((len(ids), 2)), np.zeros(len(ids))
    for photo, n in number.items():
        mine = ids[:, 0] == n
        which = ids[mine, 1]
        pixels[mine] = collection.anchors[photo][which]
        told = state.depths[photo]
        depth[mine] = told.values[np.searchsorted(told.ids, which)]
    cameras = [collection.cameras[photo] for photo in state.photos]
    groups, group = np.unique([camera.group for camera in cameras], return_inverse=True)
    spread = np.array([max(c.spread for c in cameras if c.group == g) for g in groups])
    lenses = np.array([(c.lens.fx, c.lens.fy, c.lens.cx, c.lens.cy) for c in cameras])
    start = np.array([focals.get(int(g), 0.0) for g in groups])
    problem = BundleProblem(
        lenses,
        group,
        spread,
        pixels,
        ids[:, 0],
        anchor.reshape(-1),
        np.concatenate(seen_by),
        np.concatenate(there).astype(float),
        1 / depth,
        _METRIC_WEIGHT if collection.metric else _ANY_WEIGHT,
    )
    return problem, BundleScene(state.R, state.c, start, 1 / depth), ids


def _thinned(seen: list[AnchorSightings]) -> list[AnchorSightings]:
    """Fewer of the pairs that have many, so that no more than `_MOST_SIGHTINGS` are left."""
    counts = np.array([len(one.ids) for one in seen])
    if counts.sum() <= _MOST_SIGHTINGS:
        return seen
    most = max(20, _MOST_SIGHTINGS // len(seen))
    step = -(-counts // most)
    return [
        replace(one, ids=one.ids[::s], there=one.there[::s])
        for one, s in zip(seen, step, strict=True)
    ]


def _kept(
    state: Coarse, problem: BundleProblem, scene: BundleScene, good: np.ndarray, ids: np.ndarray
) -> Coarse:
    """Photos with enough sightings that agree, and anchors that one of these sees."""
    count = len(state.photos)
    owner = problem.photo[problem.anchor]
    support = np.bincount(owner[good], minlength=count)
    support += np.bincount(problem.seen_by[good], minlength=count)
    photos = [n for n in range(count) if support[n] >= _FEWEST]
    seen = np.bincount(problem.anchor[good], minlength=len(ids)) > 0
    depths = {}
    for n in photos:
        mine = (ids[:, 0] == n) & seen
        depths[state.photos[n]] = Depths(ids[mine, 1], 1 / scene.inverse[mine])
    return Coarse([state.photos[n] for n in photos], scene.R[photos], scene.c[photos], depths)


def _focals(
    collection: Collection,
    photos: list[int],
    problem: BundleProblem,
    scene: BundleScene,
    before: dict[int, float],
) -> dict[int, float]:
    groups = np.unique([collection.cameras[photo].group for photo in photos])
    found = dict(zip(map(int, groups), map(float, scene.log_focal), strict=True))
    return before | found


def _model(
    collection: Collection,
    state: Coarse,
    measured: Sequence[MeasuredPair],
    focals: dict[int, float],
) -> Model:
    T = np.tile(np.eye(4), (len(state.photos), 1, 1))
    T[:, :3, :3], T[:, :3, 3] = state.R, state.c
    lenses = {}
    for photo in state.photos:
        camera = collection.cameras[photo]
        factor = float(np.exp(focals.get(camera.group, 0.0)))
        lens = camera.lens
        lenses[photo] = replace(lens, fx=lens.fx * factor, fy=lens.fy * factor)
    inside = set(state.photos)
    tied: dict[tuple[int, int], int] = defaultdict(int)
    for one in measured:
        if one.a in inside and one.b in inside:
            tied[min(one.a, one.b), max(one.a, one.b)] += one.support
    poses = dict(zip(state.photos, T, strict=True))
    return Model(list(state.photos), poses, lenses, state.depths, sorted(tied))
