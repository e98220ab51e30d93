# SPDX-License-Identifier: Apache-2.0
"""People who walk past would be taken for walls, or walls for people, if these fail."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.motion.config import MotionConfig
from dens3r_ros.mapping.motion.detector import Base, MotionDetector
from dens3r_ros.mapping.motion.edges import connected
from dens3r_ros.mapping.motion.look import ViewedSurface, seen_depth

CAMERA = Intrinsics(280.0, 280.0, 159.5, 119.5, 320, 240)
DEPTH = 3.0
FRAME_NS = 33_000_000
STEP = 0.01
"""Metres by which the camera goes to the right from frame to frame."""
SIDE = 70


def texture(seed: int, size: tuple[int, int], grain: int) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(20, 235, (size[1] // grain, size[0] // grain))
    return cv2.resize(noise.astype(np.float32), size, interpolation=cv2.INTER_CUBIC).clip(0, 255)


WALL, THING = texture(1, (640, 240), 8), texture(2, (SIDE, SIDE), 7)


def shot(number: int, pace: float | None, light: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """A camera that goes along a wall, and a square before it that moves by `pace` pixels a frame
    in the image, if there is one; and (h, w) bool where that is."""
    by = CAMERA.fx * STEP * number / DEPTH
    x, y = np.meshgrid(np.arange(320, dtype=np.float32), np.arange(240, dtype=np.float32))
    image = cv2.remap(WALL, x + np.float32(by + 100), y, cv2.INTER_LINEAR)
    moves = np.zeros(image.shape, bool)
    if pace is not None:
        left = round(60 + pace * number)
        image[90 : 90 + SIDE, left : left + SIDE] = THING
        moves[90 : 90 + SIDE, left : left + SIDE] = True
    return np.clip(light * image, 0, 255).astype(np.uint8), moves


def base() -> Base:
    x, y = np.meshgrid(np.arange(320), np.arange(240))
    rays = np.dstack(((x - CAMERA.cx) / CAMERA.fx, (y - CAMERA.cy) / CAMERA.fy, np.ones(x.shape)))
    surface = ViewedSurface((DEPTH * rays).astype(np.float32), np.full(x.shape, 2, np.float32))
    return Base(0, surface, shot(0, None)[0], CAMERA, 0)


def place(number: int) -> np.ndarray:
    T = np.eye(4)
    T[0, 3] = STEP * number
    return T


def looked(
    pace: float | None, frames: int = 12, turn: float = 0.0, light: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """What is said of the last of some frames, at the image's size, and the truth; poses err by
    `turn` radians, and every second image is brighter by `light`."""
    detector, known = MotionDetector(MotionConfig()), base()
    motion = np.zeros((1, 1), np.float32)
    for number in range(1, frames):
        T = place(number)
        T[:3, :3] = cv2.Rodrigues(np.array([0.0, turn * (-1) ** number, 0.0]))[0]
        grey, moves = shot(number, pace, light if number % 2 else 1.0)
        motion = detector.look(grey, CAMERA, known, T, number * FRAME_NS)
    return cv2.resize(motion, (320, 240)), moves


@pytest.mark.parametrize("pace", [-3.0, 3.0, 6.0])
def test_what_moves_is_found(pace: float) -> None:
    motion, moves = looked(pace, frames=10 if pace < 0 else 12)
    found = motion > 0.5
    assert (found & moves).sum() / (found | moves).sum() > 0.55


@pytest.mark.parametrize(("turn", "light"), [(0.0, 1.0), (0.004, 1.0), (0.0, 1.15)])
def test_a_wall_stands_still_though_poses_err_and_light_flickers(turn: float, light: float) -> None:
    assert (looked(None, turn=turn, light=light)[0] > 0.5).mean() < 0.01


def test_another_keyframe_changes_nothing_of_what_is_known() -> None:
    """Whoever goes on from another keyframe, in another unit, sees the same things move."""
    kept, moved = MotionDetector(MotionConfig()), MotionDetector(MotionConfig())
    S = np.diag([2.0, 2.0, 2.0, 1.0])
    known = base()
    larger = Base(
        1, ViewedSurface(2 * known.surface.points, known.surface.weight), known.grey, CAMERA, 0
    )
    for number in range(1, 12):
        grey, _ = shot(number, 4.0)
        T, stamp = place(number), number * FRAME_NS
        one = kept.look(grey, CAMERA, known, T, stamp)
        if number == 6:
            moved.go_on(1, S)
        T_there = T.copy()
        T_there[:3, 3] *= 2.0 if number >= 6 else 1.0
        other = moved.look(grey, CAMERA, larger if number >= 6 else known, T_there, stamp)
    assert (one > 0.5).any()
    assert np.abs(one - other).max() < 0.02


def test_only_what_is_sure_somewhere_moves() -> None:
    """Without hysteresis masks would flicker, or be full of specks."""
    chance = np.zeros((60, 80), np.float32)
    chance[10:30, 10:30], chance[15:20, 15:20] = 0.45, 0.8
    chance[40:55, 40:55] = 0.45
    chance[5, 70] = 0.9
    moves = connected(chance, 0.6, 0.4) > 0.5
    assert moves[10:30, 10:30].all()
    assert moves.sum() == 400


def test_depth_of_a_surface_is_drawn_with_its_doubt() -> None:
    """What is not known must not count as known."""
    known = base().surface
    weight = known.weight.copy()
    weight[:, :160] = 0
    depth, sigma = seen_depth(ViewedSurface(known.points, weight), np.eye(4), CAMERA)
    assert np.allclose(depth, DEPTH)
    assert sigma[:, 170:].max() < 0.1 < 0.4 < sigma[:, :150].min()


def test_a_keyframe_is_looked_at_again_from_what_came_after() -> None:
    """What began to move as a keyframe was made would stay in the map."""
    detector = MotionDetector(MotionConfig())
    grey, moves = shot(0, 4.0)
    known = base()
    known = Base(0, known.surface, grey, CAMERA, 0)
    detector.look(*(shot(1, 4.0)[0], CAMERA, known, place(1), FRAME_NS))
    assert detector.looked_back(known) is None
    detector.look(*(shot(2, 4.0)[0], CAMERA, known, place(2), 2 * FRAME_NS))
    behind = detector.looked_back(known)
    assert behind is not None
    found = cv2.resize(behind, (320, 240)) > 0.5
    assert (found & moves).sum() / (found | moves).sum() > 0.5


def test_masks_follow_their_image_before_it_has_a_place() -> None:
    """A person who walks on would be looked for where he was."""
    detector, known = MotionDetector(MotionConfig()), base()
    for number in range(1, 10):
        grey, moves = shot(number, 6.0)
        told = detector.carried(grey, number * FRAME_NS)
        if number == 9:
            found = cv2.resize(told, (320, 240)) > 0.5
            assert (found & moves).sum() / (found | moves).sum() > 0.5
            pixels = np.array([[20.0, 200.0], [300.0, 20.0]])
            by = CAMERA.fx * STEP / DEPTH
            followed = detector.followed(pixels, (240, 320))
            assert np.abs(followed - (pixels - [by, 0])).max() < 0.7
        detector.look(grey, CAMERA, known, place(number), number * FRAME_NS)
