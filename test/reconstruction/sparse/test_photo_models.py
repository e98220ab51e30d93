# SPDX-License-Identifier: Apache-2.0
"""If these fail, photos stand in wrong places: because one wrong pair of many misled all others, or
because two places were taken for one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dens3r_ros.evaluation.metrics.similarity import similarity_of_poses
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rotation import turn
from dens3r_ros.reconstruction.sparse.measured import (
    AnchorSightings,
    Collection,
    Depths,
    MeasuredPair,
    PhotoCamera,
)
from dens3r_ros.reconstruction.sparse.models import models_of
from dens3r_ros.reconstruction.sparse.tracks import tracks_of

LENS = Intrinsics(300.0, 300.0, 159.5, 119.5, 320, 240)


def poses(count: int, random: np.random.RandomState) -> np.ndarray:
    """(N, 4, 4) around a heap of points at the origin, looking at it."""
    T = np.tile(np.eye(4), (count, 1, 1))
    for n in range(count):
        turned = Rotation.from_euler("yxz", random.uniform(-35, 35, 3) * [1, 0.5, 0.3], True)
        T[n, :3, :3] = turned.as_matrix()
        T[n, :3, 3] = -random.uniform(4, 6) * T[n, :3, 2] + random.uniform(-0.3, 0.3, 3)
    return T


def seen(T: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    local = (points - T[:3, 3]) @ T[:3, :3]
    return local[:, :2] / local[:, 2:] * 300 + [159.5, 119.5], local[:, 2]


def collection(T: np.ndarray, random: np.random.RandomState, off: float = 1.0) -> Collection:
    """All neighbours of four compared; lenses believed to be `off` times as long."""
    points = random.uniform(-1, 1, (120, 3))
    ids, views = np.arange(len(points)), [seen(one, points) for one in T]
    measured = []
    for a in range(len(T)):
        for b in range(a + 1, min(a + 5, len(T))):
            unit = random.uniform(0.3, 3)
            T_a_b = np.linalg.inv(T[a]) @ T[b]
            T_a_b[:3, :3] = (
                T_a_b[:3, :3] @ Rotation.from_rotvec(random.normal(0, 0.005, 3)).as_matrix()
            )
            T_a_b[:3, 3] *= unit
            noisy = [view[0] + random.normal(0, 0.3, (len(points), 2)) for view in views]
            depths = [Depths(ids, unit * views[n][1]) for n in (a, b)]
            sightings = AnchorSightings(b, a, ids, noisy[a]), AnchorSightings(a, b, ids, noisy[b])
            measured.append(MeasuredPair(a, b, T_a_b, 120, True, *depths, sightings))
    believed = Intrinsics(300 * off, 300 * off, 159.5, 119.5, 320, 240)
    camera = PhotoCamera(believed, 0, 0.0 if off == 1 else 0.2)
    cameras = dict.fromkeys(range(len(T)), camera)
    return Collection(cameras, {n: views[n][0] for n in range(len(T))}, measured)


def worst(found: dict[int, np.ndarray], T: np.ndarray) -> tuple[float, float]:
    """Largest errors of positions and directions in degrees."""
    photos = sorted(found)
    ours, true = np.array([found[n] for n in photos]), T[photos]
    S = similarity_of_poses(ours, true)
    assert S is not None
    moved = ours[:, :3, 3] @ S[:3, :3].T + S[:3, 3] - true[:, :3, 3]
    R = S[:3, :3] / np.cbrt(np.linalg.det(S[:3, :3]))
    turned = turn(true[:, :3, :3].transpose(0, 2, 1) @ R @ ours[:, :3, :3])
    return float(np.linalg.norm(moved, axis=1).max()), float(np.rad2deg(turned).max())


def test_photos_stand_where_they_were_taken() -> None:
    random = np.random.RandomState(1)
    T = poses(12, random)
    models = models_of(collection(T, random))
    assert len(models) == 1 and sorted(models[0].photos) == list(range(12))
    shift, turned = worst(models[0].T_world_camera, T)
    assert shift < 0.02 and turned < 0.2


def test_a_shared_lens_that_was_guessed_is_found() -> None:
    random = np.random.RandomState(2)
    T = poses(12, random)
    model = models_of(collection(T, random, off=1.1))[0]
    assert model.lenses[0].fx == pytest.approx(300, rel=0.02)
    shift, turned = worst(model.T_world_camera, T)
    assert shift < 0.1 and turned < 0.5


def test_a_wrong_pair_misleads_nobody() -> None:
    random = np.random.RandomState(3)
    T = poses(12, random)
    given = collection(T, random)
    wrong = [
        MeasuredPair(one.a, one.b, turned(one.T_a_b), 90, True, one.depth_a, one.depth_b, one.seen)
        if n % 9 == 4
        else one
        for n, one in enumerate(given.measured)
    ]
    models = models_of(Collection(given.cameras, given.anchors, wrong))
    assert len(models[0].photos) == 12
    assert worst(models[0].T_world_camera, T)[1] < 0.3


def turned(T: np.ndarray) -> np.ndarray:
    wrong = T.copy()
    wrong[:3, :3] = wrong[:3, :3] @ Rotation.from_rotvec([0, 0.9, 0.4]).as_matrix()
    return wrong


def test_two_places_are_two_models() -> None:
    random = np.random.RandomState(4)
    T = poses(14, random)
    given = collection(T, random)
    apart = [one for one in given.measured if (one.a < 8) == (one.b < 8)]
    models = models_of(Collection(given.cameras, given.anchors, apart))
    assert [sorted(model.photos) for model in models] == [list(range(8)), list(range(8, 14))]


def test_points_are_told_with_all_who_see_them() -> None:
    random = np.random.RandomState(5)
    T = poses(8, random)
    given = collection(T, random)
    model = models_of(given)[0]
    found = tracks_of(given, model)
    assert found is not None and len(found.xyz) > 700
    pairs = np.column_stack([found.point, found.photo])
    assert len(np.unique(pairs, axis=0)) == len(pairs), "a photo sees a point once"
    counts = np.bincount(found.point)
    assert counts.min() >= 2 and counts.max() <= 8 and np.median(counts) >= 4
    for photo in range(8):
        mine = found.photo == photo
        lens, at = model.lenses[photo], model.T_world_camera[photo]
        local = (found.xyz[found.point[mine]] - at[:3, 3]) @ at[:3, :3]
        there = local[:, :2] / local[:, 2:] * [lens.fx, lens.fy] + [lens.cx, lens.cy]
        assert np.median(np.linalg.norm(there - found.pixels[mine], axis=1)) < 1.0


def test_keypoints_that_are_each_others_are_one_point() -> None:
    """Matches of keypoints are told from both sides, and along chains of photos."""
    random = np.random.RandomState(6)
    T = poses(6, random)
    given = collection(T, random)
    exact = [
        replace(one, seen=tuple(replace(s, there=given.anchors[s.other][s.ids]) for s in one.seen))
        for one in given.measured
    ]
    model = models_of(Collection(given.cameras, given.anchors, exact))[0]
    found = tracks_of(Collection(given.cameras, given.anchors, exact), model)
    assert found is not None and len(found.xyz) == 120
    assert (np.bincount(found.point) == 6).all()
