# SPDX-License-Identifier: Apache-2.0
"""In fast turns no pair tells its depth; without that of frames whose place is known, the camera is
lost, and what comes after lies in another piece of the map, in a unit of its own."""

from dataclasses import replace

import numpy as np
import pytest

from dens3r_ros.engines.protocol import Features, Placement
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.mapping.tracking.depth.fusion import canonical_from
from dens3r_ros.mapping.tracking.depth.guided_depth import guided_depth
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.observation import Observation, ViewMaps
from dens3r_ros.mapping.tracking.refinement import Texture
from dens3r_ros.mapping.tracking.track import Sightings, Track
from dens3r_ros.mapping.tracking.tracker import View

CAMERA = Intrinsics(60.0, 60.0, 31.5, 23.5, 64, 48)
RAYS = pixel_rays(CAMERA).numpy().astype(np.float32)
DEPTH = 3.0


def moved(shift: float, turn: float) -> np.ndarray:
    """T_keyframe_frame of a camera that went to the right and turned about its vertical."""
    T = np.eye(4)
    T[:3, :3] = [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
    T[0, 3] = shift
    return T


def keyframe() -> Keyframe:
    """A wall of which it takes the depth to be another one, unsurely."""
    image = np.zeros((48, 64, 3), np.uint8)
    features = Features(
        Frame(0, "camera", image, CAMERA), Placement((48, 64), (48, 64), 0, 0, (48, 64)), CAMERA, 0
    )
    canonical = canonical_from(RAYS * 2.0, np.full((48, 64), 1.1, np.float32), 1.0, RAYS)
    texture = Texture(image[..., 0], np.zeros((0, 2), np.float32))
    return Keyframe(0, features, canonical, CAMERA, True, texture)


def seen_from(T_keyframe_frame: np.ndarray) -> Observation:
    """Where the wall's points lie in a frame, exactly; the pair itself tells no depth."""
    points = (RAYS * DEPTH).reshape(-1, 3) @ np.linalg.inv(T_keyframe_frame)[:3, :3].T
    points += np.linalg.inv(T_keyframe_frame)[:3, 3]
    pixels = points[:, :2] / points[:, 2:] * 60.0 + (31.5, 23.5)
    nothing = ViewMaps(RAYS, np.ones((48, 64), np.float32))
    return Observation(
        False,
        False,
        (48, 64),
        lambda: nothing,
        lambda: nothing,
        pixels.reshape(48, 64, 2).astype(np.float32),
        np.full((48, 64), 10.0, np.float32),
    )


def placed(T_keyframe_frame: np.ndarray, parallax: float) -> Track:
    none = Sightings(np.zeros((0, 2), int), np.zeros((0, 3)), np.zeros(0), 0.01)
    doubt = np.diag([1e-4] * 3 + [1e-6] * 3)
    T = T_keyframe_frame
    return Track(T, T, None, doubt, 1.0, 1.0, parallax, none, None)


VIEW = View(CAMERA, True, None)


def test_depth_follows_from_the_place_of_a_frame() -> None:
    T = moved(0.5, 0.1)
    depth, confidence = guided_depth(seen_from(T), placed(T, 0.15), VIEW, keyframe()) or (0, 0)
    sure = confidence > 1.5
    assert np.mean(sure) > 0.9
    assert np.asarray(depth)[sure] == pytest.approx(DEPTH, rel=1e-3)


def test_little_parallax_tells_little() -> None:
    T = moved(0.03, 0.1)
    found = guided_depth(seen_from(T), placed(T, 0.012), VIEW, keyframe())
    assert found is not None
    assert found[1].max() < 1.5


def test_a_turn_on_the_spot_and_an_unknown_lens_tell_nothing() -> None:
    T = moved(0.5, 0.1)
    seen = seen_from(T)
    assert guided_depth(seen, placed(T, 0.002), VIEW, keyframe()) is None
    assert guided_depth(seen, placed(T, 0.15), replace(VIEW, calibrated=False), keyframe()) is None


def test_correspondences_beside_their_lines_are_not_believed() -> None:
    T = moved(0.5, 0.0)
    seen = seen_from(T)
    assert seen.pixels is not None
    seen.pixels[:24, :, 1] += 5.0
    found = guided_depth(seen, placed(T, 0.15), VIEW, keyframe())
    assert found is not None
    assert found[1][:24].max() == 1.0
    assert np.median(found[1][24:]) > 1.5
