# SPDX-License-Identifier: Apache-2.0
"""Where these fail, a camera among people is placed by them, or by nothing at all."""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.engines.protocol import Features, Placement
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.tracking.cameras import camera_rays
from dens3r_ros.mapping.tracking.depth.fusion import Canonical
from dens3r_ros.mapping.tracking.foreseeing import foreseen
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.refinement import Texture, textured_pixels
from dens3r_ros.mapping.tracking.tracker import View

CAMERA = Intrinsics(280.0, 280.0, 159.5, 119.5, 320, 240)
DEPTH = 2.0
MOVER = (slice(60, 180), slice(110, 220))


def _image() -> np.ndarray:
    noise = np.random.default_rng(5).integers(0, 255, (240, 320), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.5)


def _keyframe(grey: np.ndarray) -> Keyframe:
    rays = camera_rays(CAMERA)
    canonical = Canonical(rays * np.float32(DEPTH), np.full((240, 320), 4.0, np.float32), 1, rays)
    frame = Frame(np.dstack([grey] * 3), 0, "c", CAMERA)
    features = Features(frame, Placement((240, 320), (240, 320), 0, 0, (240, 320)), CAMERA, None)
    texture = Texture(grey, textured_pixels(grey))
    return Keyframe(0, features, canonical, CAMERA, True, texture)


def _view(grey: np.ndarray) -> View:
    return View(CAMERA, True, Texture(grey, np.zeros((0, 2), np.float32)))


def _shifted(grey: np.ndarray, x: float, y: float) -> np.ndarray:
    return cv2.warpAffine(grey, np.array([[1.0, 0, x], [0, 1, y]]), (320, 240), borderMode=2)


def test_the_place_is_that_of_what_stands_still() -> None:
    grey = _image()
    moved = _shifted(grey, -7, 0)
    moved[MOVER] = _shifted(grey, 5, 6)[MOVER]
    known = foreseen(_keyframe(grey), _view(grey), np.eye(4), _view(moved), TrackingConfig())
    assert known is not None
    np.testing.assert_allclose(
        known.T_keyframe_frame[:3, 3], (7 * DEPTH / CAMERA.fx, 0, 0), atol=0.01
    )
    assert 0.05 < known.astray < 0.4


def test_nothing_strays_where_nothing_moves() -> None:
    grey = _image()
    moved = _shifted(grey, 4, 3)
    known = foreseen(_keyframe(grey), _view(grey), np.eye(4), _view(moved), TrackingConfig())
    assert known is not None
    assert known.astray < 0.05


def test_nothing_is_foreseen_where_there_is_nothing_to_follow() -> None:
    grey, blank = _image(), np.full((240, 320), 90, np.uint8)
    keyframe = _keyframe(grey)
    assert foreseen(keyframe, _view(blank), np.eye(4), _view(blank), TrackingConfig()) is None
