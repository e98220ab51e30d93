# SPDX-License-Identifier: Apache-2.0
"""A photo that is placed wrongly sends a robot through a wall; one that is placed nowhere only
costs another photo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dens3r_ros.engines.loading import load_engine
from dens3r_ros.evaluation.localising import LocalisingOptions, evaluate_localising
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import GraphConfig, KeyframeConfig, MapperConfig
from dens3r_ros.mapping.files.map_file import MapFileError
from dens3r_ros.mapping.files.map_reading import read_map
from dens3r_ros.mapping.localising.localiser import Localiser
from dens3r_ros.mapping.localising.opinions import Located, Opinion, joined

CONFIG = MapperConfig(
    graph=GraphConfig(child_process=False), keyframes=KeyframeConfig(min_matched=0.8)
)


def off(
    place: Located | str, first: np.ndarray, truth: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """How far from the true motion since the first keyframe, as a transform."""
    assert isinstance(place, Located), place
    found = np.linalg.inv(first) @ place.T_map_camera
    return np.linalg.inv(np.linalg.inv(start) @ truth) @ found


@pytest.fixture(scope="module")
def saved(walk: Any, map_of: Any) -> Path:
    saved: Path = map_of(walk, CONFIG.keyframes.min_matched)
    return saved


def test_frames_that_the_map_never_saw_are_placed(saved: Path, walk: Any) -> None:
    localiser = Localiser(read_map(saved), OracleEngine(walk, long_side=160, metric=True), CONFIG)
    before = dict(localiser.world.graph.poses)
    first = before[0]
    for index in (3, 11, 19):
        place = localiser.place(walk[index])
        error = off(place, first, walk.poses[index], walk.poses[0])
        assert np.linalg.norm(error[:3, 3]) < 0.08
        assert np.trace(error[:3, :3]) > 1 + 2 * np.cos(np.deg2rad(1.5))
        assert place.sigma[0] < 0.2 and place.lens == "given"
        assert np.all(np.linalg.eigvalsh(place.covariance) > 0)
        assert np.linalg.norm(error[:3, 3]) < 4 * place.sigma[0]
    assert all(np.array_equal(before[i], S) for i, S in localiser.world.graph.poses.items())


def test_geometry_alone_places_images_in_metres(saved: Path, walk: Any) -> None:
    """The keyframes' depth tells them, whatever engine the map was made with."""
    localiser = Localiser(read_map(saved), load_engine("geometric"), CONFIG)
    assert localiser.metric
    frame = replace(walk[9], intrinsics=None, stamp=0)
    place = localiser.place(frame)
    error = off(place, localiser.world.pose(0), walk.poses[9], walk.poses[0])
    assert np.linalg.norm(error[:3, 3]) < 0.08
    assert place.lens == "map"


def test_another_place_is_refused(saved: Path, box_room: Any, camera_pose: Any) -> None:
    away = box_room(np.array([camera_pose(0, 0, 2, 180)]))
    localiser = Localiser(read_map(saved), load_engine("geometric"), CONFIG)
    reason = localiser.place(away[0])
    assert isinstance(reason, str) and "same place" in reason
    for level in (0, 90):
        flat = replace(away[0], image=np.full_like(away[0].image, level))
        assert "same place" in str(localiser.place(flat))
    tiny = replace(away[0], image=away[0].image[:6, :8], intrinsics=None)
    assert "8x6 pixels are too few" in str(localiser.place(tiny))


def test_an_image_of_another_shape_is_placed_too(saved: Path, walk: Any) -> None:
    """As from a phone, held otherwise than the robot's camera."""
    localiser = Localiser(read_map(saved), load_engine("geometric"), CONFIG)
    whole, cut = walk[9], slice(20, 132)
    lens = replace(whole.intrinsics, cx=whole.intrinsics.cx - 20, width=112)
    square = replace(whole, image=np.ascontiguousarray(whole.image[:, cut]), intrinsics=lens)
    error = off(localiser.place(square), localiser.world.pose(0), walk.poses[9], walk.poses[0])
    assert np.linalg.norm(error[:3, 3]) < 0.12
    guess = localiser.place(replace(square, intrinsics=None))
    error = off(guess, localiser.world.pose(0), walk.poses[9], walk.poses[0])
    assert guess.lens == "guessed" and np.linalg.norm(error[:3, 3]) < 3 * guess.sigma[0]
    assert guess.sigma[0] > 0.5


def test_a_map_without_keyframes_is_a_sentence(saved: Path) -> None:
    empty = replace(read_map(saved), keyframes=[])
    with pytest.raises(MapFileError, match="without keyframes"):
        Localiser(empty, load_engine("geometric"))


def opinion(
    number: int, x: float, piece: int = 0, sigma: float = 0.01, checked: bool = True
) -> Opinion:
    T = np.eye(4)
    T[0, 3] = x
    return Opinion(number, piece, T, sigma**2 * np.eye(6), 0.5, 0.9, 3.0, checked)


def test_keyframes_that_agree_speak_together() -> None:
    place = joined([opinion(1, 0.0), opinion(2, 0.1), opinion(3, 2.0)], "given")
    assert isinstance(place, Located)
    assert place.keyframes == (1, 2)
    assert place.T_map_camera[0, 3] == pytest.approx(0.05)
    assert place.covariance == pytest.approx(1e-4 * np.eye(6))
    surer = joined([opinion(1, 0.0, sigma=0.02), opinion(2, 0.1)], "given")
    assert isinstance(surer, Located) and surer.T_map_camera[0, 3] == pytest.approx(0.08)


def test_keyframes_that_contradict_each_other_place_nothing() -> None:
    said = joined([opinion(1, 0.0), opinion(2, 2.0)], "given")
    assert said == "keyframes 1 and 2 look like it, but place it 2 apart"
    other_piece = joined([opinion(1, 0.0), opinion(2, 2.0, piece=2, sigma=0.02)], "given")
    assert isinstance(other_piece, Located) and other_piece.keyframes == (1,)


def test_a_keyframe_that_nothing_confirms_places_nothing_alone() -> None:
    """Its own error, of half a metre at a quick turn say, would be the photo's."""
    said = joined([opinion(4, 0.0, checked=False)], "given")
    assert isinstance(said, str) and said.startswith("only keyframe 4 shows it")
    together = joined([opinion(4, 0.0, checked=False), opinion(5, 0.1, checked=False)], "given")
    assert isinstance(together, Located) and together.keyframes == (4, 5)


def test_keyframes_that_one_measurement_ties_are_known(saved: Path, walk: Any) -> None:
    localiser = Localiser(read_map(saved), OracleEngine(walk, long_side=160, metric=True), CONFIG)
    graph, last = localiser.world.graph, max(localiser.world.graph.poses)
    _, *others = graph.edges_of(last)
    for edge in others:
        graph.remove_edge(next(n for n, one in graph.numbered().items() if one is edge))
    keyframe, found = (
        localiser.world.recall(last),
        SimpleNamespace(
            T_keyframe_frame=np.eye(4), covariance=1e-4 * np.eye(6), matched=0.9, inliers=0.9
        ),
    )
    assert not Opinion.of(keyframe, found, graph, "given").checked
    assert Opinion.of(localiser.world.recall(0), found, graph, "given").checked


def test_frames_between_those_of_a_map_are_judged(walk: Any) -> None:
    engine = OracleEngine(walk, long_side=160)
    found = evaluate_localising(walk, engine, CONFIG, LocalisingOptions(every=2))
    assert (found.map_frames, found.asked) == (6, 6)
    assert found.answered == 1 and found.wrong == 0 and found.judged == 6
    assert 0 < found.median_m < 0.06 and 0 < found.median_deg < 1.5
    assert found.median_m <= found.worst_m < 0.2


def test_a_wrong_answer_counts_as_wrong(walk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the figures could not be bad."""

    def astray(self: Localiser, frame: Any) -> Located:
        T = np.eye(4)
        T[:3, 3] = 50
        return Located(T, 1e-4 * np.eye(6), (0,), 0, 1.0, 1.0, "given")

    monkeypatch.setattr(Localiser, "place", astray)
    engine = OracleEngine(walk, long_side=160)
    found = evaluate_localising(walk, engine, CONFIG, LocalisingOptions(every=3))
    assert found.wrong == found.asked and found.worst_m > 10 and found.within_3_sigma == 0
