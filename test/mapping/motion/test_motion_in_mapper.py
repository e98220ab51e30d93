# SPDX-License-Identifier: Apache-2.0
"""Without these somebody who walks past could bend the camera's way and stay in the map, and runs
with motion told would not repeat."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest

from dens3r_ros.engines.geometric import GeometricEngine
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.config import DecodingConfig, GraphConfig, MapperConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.motion.config import MotionConfig
from dens3r_ros.mapping.update import Update

CAMERA = Intrinsics(260.0, 260.0, 159.5, 119.5, 320, 240)
FRAME_NS = 33_000_000
BACK, SIDE, CROSSER = 5.0, 2.2, 2.6
"""Metres to a wall ahead, a wall to the right, and to somebody who crosses before them."""
FRAMES = 30


@cache
def texture(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    layers = [
        cv2.resize(random.random((n, n)), (1200, 1200), interpolation=cv2.INTER_CUBIC)
        for n in (40, 120, 300)
    ]
    return np.clip(sum(layers) / 3 * 380 - 60, 0, 255).astype(np.float32)


def looked_up(seed: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The texture where its surface is (x, y) metres, 150 pixels a metre."""
    across, down = (np.float32(150 * value + 600) % 1200 for value in (x, y))
    return cv2.remap(texture(seed), across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def eye(number: int) -> np.ndarray:
    """Where the camera is: it goes to the left and ahead, and looks straight on."""
    return np.array([-0.02 * number, 0.003 * number, 0.012 * number])


def shot(number: int, crossed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Two walls, before them somebody who crosses if so, and (h, w) bool where that is."""
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width].astype(np.float64)
    x, y = (u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy
    at = eye(number)
    ahead = BACK - at[2]
    aside = (SIDE - at[0]) / np.maximum(x, 1e-6)
    back = looked_up(1, at[0] + ahead * x, at[1] + ahead * y)
    side = looked_up(2, at[2] + aside * np.ones_like(x), at[1] + aside * y)
    image = np.where(ahead < aside, back, side)
    moves = np.zeros(x.shape, bool)
    if crossed:
        near = CROSSER - at[2]
        middle = -1.3 + 0.06 * number
        left, height = at[0] + near * x - middle, at[1] + near * y
        moves = (np.abs(left) < 0.32) & (height > -0.7)
        image = np.where(moves, looked_up(3, left, height), image)
    return np.repeat(image[..., None], 3, 2).clip(0, 255).astype(np.uint8), moves


def run(
    crossed: bool, told: bool, every: int = 1
) -> tuple[list[Update], list[np.ndarray], np.ndarray, list[np.ndarray]]:
    """Updates, masks that they should have, places (N, 3) and keyframes' confident points in
    the first camera's frame and unit."""
    config = MapperConfig(
        motion=MotionConfig(enabled=told),
        graph=GraphConfig(child_process=False),
        decoding=DecodingConfig(every=every, lag=2),
    )
    updates, masks = [], []
    with Mapper(GeometricEngine(), config) as mapper:
        for number in range(FRAMES):
            image, moves = shot(number, crossed)
            update = mapper.step(Frame(image, number * FRAME_NS, intrinsics=CAMERA))
            updates.append(update)
            masks.append(moves)
        mapper.finish()
        poses = np.array([pose.T_map_camera for pose in mapper.trajectory()])
        clouds = [
            view.points[view.confidence > 1.5] @ view.T_map_camera[:3, :3].T
            + view.T_map_camera[:3, 3]
            for view in mapper.keyframes()
        ]
    home = np.linalg.inv(poses[0])
    places = np.array([(home @ pose)[:3, 3] for pose in poses])
    return updates, masks, places, [cloud @ home[:3, :3].T + home[:3, 3] for cloud in clouds]


def strayed(places: np.ndarray) -> float:
    """Root mean square metres from the true way, after the best scale."""
    true = np.array([eye(n) for n in range(FRAMES)])[-len(places) :]
    true = true - true[0]
    scale = (true * places).sum() / (places * places).sum()
    return float(np.sqrt(np.square(scale * places - true).sum(1).mean()))


@pytest.fixture(scope="module")
def crossed():
    return run(crossed=True, told=True)


def test_whoever_crosses_is_seen_to_move(crossed) -> None:
    updates, masks, _, _ = crossed
    scores = []
    for update, moves in zip(updates, masks, strict=True):
        if update.motion is not None:
            found = update.motion > 0.5
            scores.append((found & moves).sum() / (found | moves).sum())
    assert len(scores) > FRAMES // 3 and np.mean(scores) > 0.7
    assert updates[-1].dynamic > 0.1


def test_every_image_with_a_place_has_a_mask_and_depth_of_its_size(crossed) -> None:
    tracked = [update for update in crossed[0] if update.T_map_camera is not None]
    assert len(tracked) > FRAMES // 3
    for update in tracked[1:]:
        assert update.motion is not None and update.maps is not None
        assert update.maps.depth.shape == update.motion.shape


def test_the_way_is_near_what_it_is_where_nobody_crosses(crossed) -> None:
    assert strayed(crossed[2]) < 0.02


def test_nothing_of_who_crossed_is_in_the_map(crossed) -> None:
    """The walls are twice as far away."""
    _, _, places, clouds = crossed
    true = np.array([eye(n) for n in range(FRAMES)])[-len(places) :]
    scale = ((true - true[0]) * places).sum() / (places * places).sum()
    depth = scale * np.concatenate(clouds)[:, 2]
    assert len(depth) > 1000
    assert (depth < 3.2).mean() < 0.02


def test_nobody_moves_where_nobody_is_and_the_way_is_the_same() -> None:
    updates, _, places, _ = run(crossed=False, told=True)
    shares = [(update.motion > 0.5).mean() for update in updates if update.motion is not None]
    assert len(shares) > FRAMES // 2 and np.mean(shares) < 0.01
    without = run(crossed=False, told=False)[2]
    assert strayed(places) < 1.03 * strayed(without)


def test_runs_that_decode_some_frames_repeat_to_the_last_bit() -> None:
    one, other = run(True, True, every=3), run(True, True, every=3)
    assert np.array_equal(one[2], other[2])
    for first, second in zip(one[0], other[0], strict=True):
        assert (first.motion is None) == (second.motion is None)
        assert first.motion is None or np.array_equal(first.motion, second.motion)
