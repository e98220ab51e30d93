# SPDX-License-Identifier: Apache-2.0
"""Walks that clip through walls, jump or fail to return would blame mapping for their faults."""

import numpy as np
import pytest

from dens3r_ros.scenes import WALKS, open_walk
from dens3r_ros.sources import Source, SourceError, open_source

FRAMES = 900


@pytest.fixture(
    scope="module", params=[kind for kind in WALKS if kind not in ("drive", "kidnapped")]
)
def walk(request):
    return request.param, open_walk(request.param, seed=5, frames=FRAMES, width=64, height=48)


def test_no_frame_touches_a_wall_or_stares_at_one(walk):
    kind, made = walk
    for index in range(0, FRAMES, 45):
        frame = made.render(index)
        valid = frame.depth > 0
        assert valid.mean() > (0.4 if kind == "street-cars" else 0.98), "sky is outdoors only"
        assert frame.depth[valid].min() > 0.3, index
        assert np.median(frame.depth[valid]) > 0.6, index
        assert frame.image.std() > 5, index


def test_motion_is_that_of_a_walker(walk):
    kind, made = walk
    poses = made.trajectory.poses()
    speed = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1) * 30
    relative = np.einsum("nji,njk->nik", poses[:-1, :3, :3], poses[1:, :3, :3])
    cosine = ((np.trace(relative, axis1=1, axis2=2) - 1) / 2).clip(-1, 1)
    turn = np.degrees(np.arccos(cosine)) * 30
    assert speed.max() < 2.0
    assert turn.max() < (230 if kind == "fast-turn" else 130)
    if kind == "fast-turn":
        assert turn.max() > 100
    assert 0.35 < speed.mean() < 1.5
    eye = np.eye(3)
    np.testing.assert_allclose(
        np.einsum("nji,njk->nik", poses[:, :3, :3], poses[:, :3, :3]),
        np.broadcast_to(eye, (FRAMES, 3, 3)),
        atol=1e-9,
    )
    assert (np.linalg.det(poses[:, :3, :3]) > 0).all()


def test_a_drive_stays_on_its_streets_at_ten_metres_a_second():
    made = open_walk("drive", seed=5, frames=250, width=64, height=48)
    poses = made.trajectory.poses()
    speed = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1) * made.rate
    np.testing.assert_allclose(speed, 10.0, rtol=0.02)
    assert np.ptp(np.unwrap(made.trajectory.yaw)) > np.pi / 2, "it turns into another street"
    for index in range(0, 250, 25):
        frame = made.render(index)
        valid = frame.depth > 0
        assert 0.4 < valid.mean() < 1.0, "streets below and sky above"
        assert frame.depth[valid].min() > 1.0, index
        assert frame.image.std() > 5, index


def test_the_kidnapped_camera_is_carried_into_another_room_in_the_dark():
    made = open_walk("kidnapped", seed=5, frames=900, width=64, height=48)
    position = made.trajectory.position
    speed = np.linalg.norm(np.diff(position, axis=0), axis=1) * made.rate
    dark = made.dark
    assert len(dark) == 2 * made.rate
    assert position[dark.start, 1] > 1 and position[dark.stop, 1] < -1, "the wall is at 0"
    assert 4.5 < speed[dark.start : dark.stop].sum() / made.rate < 5.5
    lit = np.r_[speed[: dark.start], speed[dark.stop :]]
    assert lit.max() < 1.6 and lit.mean() > 0.8
    for index in (dark.start, dark.stop - 1):
        frame = made.render(index)
        assert frame.image.max() < 20 and not frame.depth.any()
    for index in [*range(0, dark.start, 45), *range(dark.stop, 900, 45)]:
        frame = made.render(index)
        valid = frame.depth > 0
        assert valid.mean() > 0.98 and frame.depth[valid].min() > 0.3, index
        assert frame.image.std() > 5, index
    lap = next(n for n in range(dark.stop, 900) if position[n, 1] > 0.5)
    back = np.linalg.norm(position[lap:] - position[20], axis=1)
    assert back.min() < 0.1, "it comes by the first place again"


def test_stamps_follow_the_rate():
    source = open_source("procedural:drive?frames=3&size=32x24")
    assert source[1].stamp - source[0].stamp == 100_000_000


def test_the_loop_ends_where_it_began():
    for frames in (900, 2000):
        made = open_walk("loop", seed=1, frames=frames, width=32, height=24)
        poses = made.trajectory.poses()
        np.testing.assert_allclose(poses[0], poses[-1], atol=1e-9)
        away = np.linalg.norm(poses[:, :3, 3] - poses[0, :3, 3], axis=1)
        assert away.max() > 8.0
        np.testing.assert_allclose(made.render(0).depth, made.render(frames - 1).depth, atol=1e-4)
    assert 0.75 * 2000 / 30 < made.trajectory.length() < 1.2 * 2000 / 30


def test_rooms_of_the_loop_look_alike_but_are_not_one():
    building = open_walk("loop", seed=2, frames=1500).building
    shapes = building.worlds.shapes
    rooms = int(shapes.group.max())
    assert rooms >= 8 and len(building.doors) == rooms
    halves = [
        {tuple(h) for h in shapes.half[0][shapes.group[0] == room].numpy().round(4)}
        for room in (1, 2, rooms)
    ]
    shared = len(halves[0] & halves[1]) / len(halves[0])
    assert 0.5 < shared < 1.0


def test_leaving_out_unseen_rooms_changes_nothing():
    made = open_walk("loop", seed=2, frames=1200, width=96, height=72)
    full = type(made)(
        type(made.building)(
            made.building.worlds, made.building.inside[:0], made.building.doors[:0]
        ),
        made.trajectory,
        made.intrinsics,
        made.seed,
    )
    for index in range(0, 1200, 200):
        np.testing.assert_array_equal(made.render(index).depth, full.render(index).depth)


def test_stairs_climb_a_storey():
    height = open_walk("stairs", frames=1200).trajectory.position[:, 2]
    assert height.max() - height.min() > 2.0


def test_stop_and_go_stands_still_at_times():
    poses = open_walk("stop-and-go", frames=600).trajectory.poses()
    still = np.abs(np.diff(poses, axis=0)).max((1, 2)) < 1e-6
    assert 0.15 < still.mean() < 0.6


def test_frames_come_in_any_order_and_repeat():
    text = "procedural:walk?seed=3&frames=40&size=64x48"
    source = open_source(text)
    assert isinstance(source, Source) and len(source) == 40
    late, early = source[30].image, source[2].image
    other = open_source(text)
    np.testing.assert_array_equal(other[2].image, early)
    np.testing.assert_array_equal(other[30].image, late)
    assert source[1].stamp > source[0].stamp
    with pytest.raises(IndexError):
        source[40]
    assert len(list(iter(open_source("procedural:walk?frames=3&size=32x24")))) == 3


def test_truth_belongs_to_the_frame():
    source = open_source("procedural:loop?seed=3&frames=300&size=96x72&fov=90")
    frame, truth = source[10], source.truth(10)
    assert frame.size == truth.depth.shape == (72, 96)
    assert frame.intrinsics.fx == pytest.approx(48.0)
    assert truth.normals.shape == (72, 96, 3) and truth.T_world_camera.shape == (4, 4)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("procedural:swim", "no walk 'swim'"),
        ("procedural:loop?speed=3", "no option 'speed'"),
        ("procedural:loop?size=320", "not WIDTHxHEIGHT"),
        ("procedural:loop?frames=1", "at least 2 frames"),
        ("procedural:loop?seed=x", "invalid literal"),
    ],
)
def test_wrong_names_are_explained(text, says):
    with pytest.raises(SourceError, match=says):
        open_source(text)
