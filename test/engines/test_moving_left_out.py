# SPDX-License-Identifier: Apache-2.0
"""People who fill a third of the view would turn the camera with them if these fail."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from dens3r_ros.engines.geometric import GeometricEngine
from dens3r_ros.engines.geometric.moving import Moving
from dens3r_ros.engines.protocol import Features, Lead, Outputs
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.two_views.flow import two_way_flow
from dens3r_ros.network.prediction import PairPrediction

CAMERA = Intrinsics(300.0, 310.0, 155.0, 122.0, 320, 240)
NORMAL = np.array([0.1, -0.2, 0.5])
SHIFT = np.array([0.25, 0.05, 0.1])
SIDE = (170, 150)
"""Of a thing that moves, pixels across and down: a third of the view."""


def texture(seed: int, size: int = 900) -> np.ndarray:
    random = np.random.default_rng(seed)
    layers = [
        cv2.resize(random.random((n, n, 3)), (size, size), interpolation=cv2.INTER_CUBIC)
        for n in (size // 30, size // 10, size // 4)
    ]
    return np.clip(sum(layers) / 3 * 400 - 75, 0, 255).astype(np.uint8)


WALL, THING = texture(0), texture(1, 300)


def view(H: np.ndarray, corner: tuple[int, int]) -> tuple[Frame, np.ndarray]:
    """A wall, before it a thing whose upper left corner (x, y) is there, and where that is."""
    H_view_texture = H @ np.array([[1.0, 0, -290], [0, 1.0, -330], [0, 0, 1]])
    image = cv2.warpPerspective(WALL, H_view_texture, (CAMERA.width, CAMERA.height))
    (x, y), (width, height) = corner, SIDE
    image[y : y + height, x : x + width] = THING[:height, :width]
    moving = np.zeros(image.shape[:2], np.float32)
    moving[y : y + height, x : x + width] = 1
    return Frame(image, 0, intrinsics=CAMERA), moving


def pair() -> tuple[list[Features], list[np.ndarray]]:
    R = cv2.Rodrigues(np.radians([1.0, -4.0, 2.0]))[0]
    H = CAMERA.K @ (R + np.outer(SHIFT, NORMAL)) @ np.linalg.inv(CAMERA.K)
    frames, moving = zip(view(np.eye(3), (80, 40)), view(H, (50, 70)), strict=True)
    return GeometricEngine().encode(frames), list(moving)


def decoded(a: Features, b: Features) -> PairPrediction:
    return GeometricEngine().decode([(a, b)], Outputs())


def wrong(found: PairPrediction, moving: np.ndarray) -> float:
    """Median relative error of confident depth of what stands still; 1 where there is none."""
    x, y = np.meshgrid(np.arange(CAMERA.width), np.arange(CAMERA.height))
    rays = np.stack([(x - CAMERA.cx) / CAMERA.fx, (y - CAMERA.cy) / CAMERA.fy, np.ones(x.shape)], 2)
    truth = 1 / (rays @ NORMAL) / np.linalg.norm(SHIFT)
    sure = (found.confidence_a[0].numpy() > 1.5) & (moving == 0)
    if sure.mean() < 0.1:
        return 1.0
    return float(np.median(np.abs(found.points_a[0, ..., 2].numpy() / truth - 1)[sure]))


def test_what_is_known_to_move_has_no_part_in_the_motion_nor_in_depth() -> None:
    (a, b), (moves_a, moves_b) = pair()
    assert wrong(decoded(a, b), moves_a) > 0.1
    found = decoded(replace(a, moving=moves_a), replace(b, moving=moves_b))
    assert wrong(found, moves_a) < 0.03
    assert found.pixels_confidence[0].numpy()[moves_b > 0].max() == 1
    assert (found.pixels_confidence[0].numpy() > 1.5)[moves_b == 0].mean() > 0.4


def test_maps_are_the_same_to_the_last_bit_where_nothing_moves() -> None:
    """A mask that is empty must cost no accuracy."""
    (a, b), (moves, _) = pair()
    still = np.zeros_like(moves)
    plain, masked = decoded(a, b), decoded(replace(a, moving=still), replace(b, moving=still))
    assert torch.equal(plain.points_a, masked.points_a)
    assert torch.equal(plain.pixels_confidence, masked.pixels_confidence)


def test_flow_beside_something_that_is_ignored_is_not_drawn_along() -> None:
    faint = (110 + 0.1 * cv2.cvtColor(WALL, cv2.COLOR_RGB2GRAY)).astype(np.uint8)
    grey, other = faint[300:540, 300:620].copy(), faint[300:540, 297:617].copy()
    mask_a, mask_b = np.zeros_like(grey), np.zeros_like(grey)
    for image, mask, x in ((grey, mask_a, 100), (other, mask_b, 115)):
        image[:, x : x + 60] = cv2.cvtColor(THING[:240, :60], cv2.COLOR_RGB2GRAY)
        mask[:, x : x + 60] = 1
    beside = (slice(20, -20), np.r_[90:97, 175:185])
    rest = np.zeros((*grey.shape, 2), np.float32)
    free = two_way_flow(grey, other, (rest, rest), 1)
    told = two_way_flow(grey, other, (rest, rest), 1, ignored=(mask_a, mask_b))
    off = [np.abs(flow.forward[beside][..., 0] - 3).mean() for flow in (free, told)]
    assert off[1] < 0.6 < 2 < off[0]
    assert (told.forward_error[mask_a > 0] > 1).all()
    assert told.shown < 0.9 and told.agreement > 0.8


def test_what_is_expected_is_where_looking_begins() -> None:
    """Where keypoints find too little, the map knows where to look; of another frame it says
    nothing."""
    (a, b), _ = pair()
    R = cv2.Rodrigues(np.radians([0.0, 0.0, 120.0]))[0]
    turned, _ = view(CAMERA.K @ R @ np.linalg.inv(CAMERA.K), (0, 0))
    far = GeometricEngine().encode([turned])[0]
    y, x = np.mgrid[8:240:16, 8:320:16].reshape(2, -1)
    there = np.stack((x, y), 1).astype(np.float64)
    lead = Lead(far.frame, there, there + 400.0)
    assert torch.equal(decoded(replace(a, lead=lead), b).points_a, decoded(a, b).points_a)


@pytest.mark.parametrize("known", [(True, False), (False, True)])
def test_a_track_moves_by_either_views_mask(known: tuple[bool, bool]) -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[5:10, 5:10] = 1
    moving = Moving(*(mask if one else None for one in known))
    on, off = np.array([[7.0, 7.0], [1.0, 1.0]]), np.array([[15.0, 15.0], [15.0, 15.0]])
    pixels = (on, off) if known[0] else (off, on)
    assert moving.still(*pixels).tolist() == [False, True]
