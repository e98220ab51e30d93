# SPDX-License-Identifier: Apache-2.0
"""If these fail, people who walked through a map stand in its clouds, meshes, plans and splats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_maps import CONFIG, mapper_for

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.archive.stored import Stored, StoredView, pack, stored_bytes, unpack
from dens3r_ros.mapping.files.map_export import cloud, write_mesh
from dens3r_ros.mapping.files.map_file import LoadedMap, MapFileError, SavedKeyframe, write_map
from dens3r_ros.mapping.files.map_reading import read_map
from dens3r_ros.mapping.files.map_splats import splats_of_map, views_of_map
from dens3r_ros.mapping.files.saving import to_save
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.occupancy.plan_file import stored_keyframes
from dens3r_ros.mapping.reporting import keyframe_view
from dens3r_ros.splats.optimising.optimisation import OptimisationConfig, optimised


def quiet(done: int, total: int) -> None:
    pass


def left_moves(stored: Stored) -> Stored:
    """A stored keyframe in whose left half something moves."""
    moving = np.zeros(stored.depth.shape, np.uint8)
    moving[:, : moving.shape[1] // 2] = 255
    return replace(stored, moving=moving)


def alone(path: Path) -> LoadedMap:
    """A map's first keyframe, with something that moves on the left."""
    loaded = read_map(path)
    first = loaded.keyframes[0]
    return replace(loaded, keyframes=[replace(first, stored=left_moves(first.stored))])


def on_the_left(points: np.ndarray, loaded: LoadedMap) -> np.ndarray:
    """Which points of the map lie in what the left half of the first keyframe sees, but for two of
    its pixels beside the middle."""
    stored = loaded.keyframes[0].stored
    S = np.linalg.inv(loaded.poses[stored.id])
    seen, view = points @ S[:3, :3].T + S[:3, 3], StoredView(stored)
    x = seen[:, 0] / seen[:, 2] * view.camera.fx + view.camera.cx
    return x < stored.depth.shape[1] // 2 - 2.5


def test_what_moves_in_a_keyframe_is_in_the_file_and_comes_back(walk, tmp_path: Path) -> None:
    mapper = mapper_for(walk)
    for index in range(6):
        mapper.step(walk[index])
    live = mapper.live_keyframes()[0]
    motion = np.zeros(live.size, np.float32)
    motion[:, : live.size[1] // 2] = 1
    live.motion = motion
    path = tmp_path / "room.map"
    write_map(path, mapper.snapshot())
    kept = {one.stored.id: one.stored for one in read_map(path).keyframes}
    assert kept[live.id].moving.dtype == np.uint8
    assert kept[live.id].moving.shape == kept[live.id].depth.shape
    again = unpack(kept[live.id], OracleEngine(walk, long_side=160))
    middle = np.abs(np.arange(live.size[1]) - live.size[1] / 2) > 4
    np.testing.assert_allclose(again.motion[:, middle], motion[:, middle], atol=0.01)
    assert all(kept[i].moving is None for i in kept if i != live.id)
    # As it is live, so it is once archived.
    shown = keyframe_view(live, live.id, mapper._session.world.graph)
    assert (shown.confidence[:, : live.size[1] // 2] == 1).all()
    assert (shown.confidence[:, live.size[1] // 2 :] > 1).mean() > 0.5


def test_maps_of_earlier_releases_load(saved) -> None:
    _, path = saved
    loaded = read_map(path)
    assert all(one.stored.moving is None for one in loaded.keyframes)
    assert all(view.moving is None for view in views_of_map(loaded))


def test_a_mask_of_another_shape_is_a_damaged_file(saved, tmp_path: Path) -> None:
    mapper, _ = saved
    whole = to_save(mapper._session)
    first, *others = whole.keyframes
    wrong = replace(first.stored, moving=np.zeros((3, 4), np.uint8))
    path = tmp_path / "wrong.map"
    write_map(path, replace(whole, keyframes=[SavedKeyframe(wrong, first.place), *others]))
    with pytest.raises(MapFileError, match="what moves in keyframe"):
        read_map(path)


def test_its_size_is_within_what_is_stated(walk) -> None:
    mapper = mapper_for(walk)
    for index in range(3):
        mapper.step(walk[index])
    live = mapper.live_keyframes()[0]
    live.motion = np.ones(live.size, np.float32)
    noise = np.random.default_rng(0).integers(0, 255, walk[0].image.shape).astype(np.uint8)
    live.features = replace(live.features, frame=replace(live.features.frame, image=noise))
    stored = pack(live, CONFIG.archive.jpeg_quality)
    arrays = stored.depth, stored.confidence, stored.moving
    size = len(stored.jpeg) + sum(array.nbytes for array in arrays)
    assert size < stored_bytes(noise.shape[:2], live.size)


def test_the_cloud_leaves_it_out(saved) -> None:
    loaded = alone(saved[1])
    points, _ = cloud(loaded, 1.5, 0.0, quiet)
    assert len(points) > 100 and not on_the_left(points, loaded).any()
    still = replace(loaded, keyframes=[_standing(loaded)])
    assert on_the_left(cloud(still, 1.5, 0.0, quiet)[0], loaded).mean() > 0.3


def _standing(loaded: LoadedMap) -> SavedKeyframe:
    first = loaded.keyframes[0]
    return replace(first, stored=replace(first.stored, moving=None))


def test_the_mesh_leaves_it_out(saved, tmp_path: Path) -> None:
    open3d = pytest.importorskip("open3d")
    loaded = alone(saved[1])
    twice = replace(loaded, keyframes=2 * loaded.keyframes)  # what one keyframe saw is no surface
    write_mesh(tmp_path / "room.ply", twice, 1.5, 0.05, quiet)
    mesh = open3d.io.read_triangle_mesh(str(tmp_path / "room.ply"))
    points = np.asarray(mesh.vertices)
    assert len(points) > 100 and on_the_left(points, loaded).mean() < 0.02


def test_the_floor_plan_leaves_it_out(saved) -> None:
    drawn = stored_keyframes(alone(saved[1]))[0]
    half = drawn.confidence.shape[1] // 2
    assert (drawn.confidence[:, :half] == 1).all() and (drawn.confidence[:, half:] > 1.5).any()


def test_splats_leave_it_out_and_optimising_does_not_bring_it_back(saved) -> None:
    """The image shows something red there, which no splat may take over."""
    loaded = alone(saved[1])
    stored = loaded.keyframes[0].stored
    image = cv2.imdecode(np.frombuffer(stored.jpeg, np.uint8), cv2.IMREAD_COLOR)
    image[:, : image.shape[1] // 2 - 8] = 0, 0, 255
    red = replace(stored, jpeg=cv2.imencode(".jpg", image)[1].tobytes())
    loaded = replace(loaded, keyframes=[replace(loaded.keyframes[0], stored=red)])
    made = splats_of_map(loaded)
    assert len(made) > 100 and not on_the_left(made.means, loaded).any()
    (view,) = views_of_map(loaded)
    half = view.moving.shape[1] // 2
    assert view.moving[:, : half - 4].all() and not view.moving[:, half + 4 :].any()
    still = replace(loaded, keyframes=[_standing(loaded)])
    whole = splats_of_map(still)
    grown = optimised(whole, [view], OptimisationConfig(8, device="cpu"))
    seen = on_the_left(grown.means, loaded)
    with_it = optimised(whole, views_of_map(still), OptimisationConfig(8, device="cpu"))
    change = [
        np.abs(
            one.harmonics[: len(whole)][on_the_left(whole.means, loaded)]
            - whole.harmonics[on_the_left(whole.means, loaded)]
        ).mean()
        for one in (grown, with_it)
    ]
    assert seen.any() and change[0] < 0.3 * change[1]


def test_the_mapper_keeps_what_it_finds(walk, tmp_path: Path) -> None:
    """With motion on, every keyframe tells what moved in it."""
    config = replace(CONFIG, motion=replace(CONFIG.motion, enabled=True))
    with Mapper(OracleEngine(walk, long_side=160), config) as mapper:
        for index in range(8):
            mapper.step(walk[index])
        write_map(tmp_path / "room.map", mapper.snapshot())
    told = [one.stored.moving for one in read_map(tmp_path / "room.map").keyframes]
    assert sum(moving is not None for moving in told) >= len(told) - 1
