# SPDX-License-Identifier: Apache-2.0
"""If these fail, the work of a collection grows with the square of its photos, a run that goes on
compares everything again, or photos of two places are joined by chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dens3r_ros.engines.loading import load_engine
from dens3r_ros.reconstruction.photos.dense import fused
from dens3r_ros.reconstruction.photos.keypoint_pairs import (
    keypoints_of,
    matched,
    measured_by_keypoints,
)
from dens3r_ros.reconstruction.photos.pair_files import PairFiles
from dens3r_ros.reconstruction.photos.pair_maps import PairMapFiles
from dens3r_ros.reconstruction.photos.recent import Recent, held_bytes
from dens3r_ros.reconstruction.photos.retrieval import first_pairs, good_order, more_pairs
from dens3r_ros.reconstruction.sparse.measured import Depths
from dens3r_ros.sources.opening import open_source


def ring(count: int) -> np.ndarray:
    """(N, N) likeness of photos on a ring."""
    away = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    return np.exp(-np.minimum(away, count - away) / 5.0)


def test_pairs_grow_as_photos_do() -> None:
    counts = [len(first_pairs(ring(count))) / count for count in (50, 100, 200)]
    assert counts[0] > counts[1] > counts[2] and counts[2] < 10
    assert first_pairs(np.ones((1, 1))) == []


def test_loose_photos_are_compared_with_more() -> None:
    alike = ring(40)
    tied = [(n, n + 1) for n in range(19)] + [(n, n + 1) for n in range(20, 39)]
    more = more_pairs(alike, set(tied), tied)
    assert any((a < 20) != (b < 20) for a, b in more) and not set(more) & set(tied)


def test_a_photo_is_needed_for_a_short_while() -> None:
    random = np.random.RandomState(0)
    numbers = random.permutation(60)
    pairs = [(int(numbers[n]), int(numbers[n + k])) for n in range(55) for k in range(1, 5)]
    order = good_order(60, [(min(pair), max(pair)) for pair in pairs])
    spans = [
        max(at) - min(at)
        for photo in range(60)
        if (at := [n for n, pair in enumerate(order) if photo in pair])
    ]
    assert len(order) == len(set(pairs)) and max(spans) < 60


def test_what_pairs_said_is_kept(tmp_path: Path) -> None:
    source = open_source("procedural:walk?seed=3&frames=60&size=320x240")
    a, b = source[0], source[20]
    points = keypoints_of(a.image, (240, 320)), keypoints_of(b.image, (240, 320))
    assert a.intrinsics is not None and b.intrinsics is not None
    cameras = a.intrinsics, b.intrinsics
    found = measured_by_keypoints(0, 1, points, matched(*points), cameras)
    assert found is not None and found.support > 30
    truth = [source.truth(n) for n in (0, 20)]
    assert truth[0] is not None and truth[1] is not None
    wanted = np.linalg.inv(truth[0].T_world_camera) @ truth[1].T_world_camera
    assert np.trace(found.T_a_b[:3, :3].T @ wanted[:3, :3]) > 1 + 2 * np.cos(np.deg2rad(1))
    files = PairFiles(tmp_path)
    files.put((0, 1), [found])
    files.put((0, 2), [])
    again = PairFiles(tmp_path)
    assert again.has((0, 2)) and not again.get((0, 2)) and not again.has((1, 2))
    assert again.support((0, 1)) == found.support and again.support((0, 2)) == 0
    anew = again.anew()
    assert not anew.has((0, 1)), "what lenses of a guess said is not taken for what known ones say"
    anew.put((0, 1), [])
    (kept,) = again.get((0, 1))
    assert np.array_equal(kept.seen[1].ids, found.seen[1].ids) and kept.shifted == found.shifted
    assert np.allclose(kept.depth_a.values, found.depth_a.values, rtol=1e-6)


def test_photos_of_two_places_are_not_joined() -> None:
    a = open_source("procedural:walk?seed=3&frames=60&size=320x240")[0]
    b = open_source("procedural:walk?seed=8&frames=60&size=320x240")[0]
    assert a.intrinsics is not None and b.intrinsics is not None
    points = keypoints_of(a.image, (240, 320)), keypoints_of(b.image, (240, 320))
    cameras = a.intrinsics, b.intrinsics
    assert measured_by_keypoints(0, 1, points, matched(*points), cameras) is None
    nothing = keypoints_of(np.zeros((48, 64, 3), np.uint8), (48, 64))
    assert (
        measured_by_keypoints(0, 1, (nothing, nothing), matched(nothing, nothing), cameras) is None
    )


def test_depth_of_pairs_is_brought_to_one_unit(tmp_path: Path) -> None:
    depth = np.full((32, 48), 2.0, np.float32)
    pixels = np.argwhere(np.ones((8, 12)))[:, ::-1] * 4
    known = Depths(np.arange(len(pixels)), np.full(len(pixels), 5.0))
    sure = np.full((32, 48), 3.0, np.float32)
    files = PairMapFiles(tmp_path)
    for other in range(6):
        files.put(0, other, 10 + other, depth * (1 + other), sure)
    assert len(PairMapFiles(tmp_path).of(0)) == 4, "the best few are kept"
    wrong = np.linspace(1, 30, 32 * 48, dtype=np.float32).reshape(32, 48)
    found = fused([*files.of(0), (wrong, sure)], pixels, known)
    assert found is not None and np.allclose(found[0], 5.0, rtol=1e-2)
    assert fused([(wrong, sure)], pixels, known) is None


def test_large_photos_are_not_all_kept_in_memory() -> None:
    made: list[int] = []

    def make(number: int) -> bytes:
        made.append(number)
        return bytes(100)

    recent = Recent(make, len, most=350)
    for number in (0, 1, 2, 0, 3, 0, 1):
        assert len(recent(number)) == 100
    assert made == [0, 1, 2, 3, 1], "the one that was not needed for longest went"
    alone = Recent(make, len, most=10)
    assert all(alone(number) for number in (5, 6, 5, 6)) and made[-2:] == [5, 6]


def test_all_that_an_encoding_holds_is_weighed() -> None:
    """Of a network's tokens or an engine's maps, not of its image alone."""
    frame = open_source("procedural:walk?seed=3&frames=4&size=320x240")[0]
    features = load_engine("geometric").encode([frame])[0]
    assert held_bytes(features) > frame.image.nbytes
    assert held_bytes({"a": (np.zeros(3), [np.zeros(2, np.uint8)]), "b": "text"}) == 26
