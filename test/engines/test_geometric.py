# SPDX-License-Identifier: Apache-2.0
"""Without these a robot drives on depth that no image showed, or gets none from good ones."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dens3r_ros.engines.geometric import GeometricConfig, GeometricEngine
from dens3r_ros.engines.protocol import Engine, Outputs
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.network.prediction import PairPrediction
from dens3r_ros.sources import open_source

HOLOLENS = Path(__file__).parents[3] / "shared" / "data" / "hololens"
CAMERA = Intrinsics(300.0, 310.0, 155.0, 122.0, 320, 240)


@dataclass(frozen=True)
class Wall:
    """A textured plane n . X = 1 in the first view's frame."""

    normal: tuple[float, float, float]


@cache
def texture(seed: int = 0) -> np.ndarray:
    """Noise of several scales, larger than the image."""
    random = np.random.default_rng(seed)
    layers = [
        cv2.resize(random.random((size, size, 3)), (900, 900), interpolation=cv2.INTER_CUBIC)
        for size in (30, 90, 225)
    ]
    return np.clip(sum(layers) / 3 * 400 - 75, 0, 255).astype(np.uint8)


def turned(x: float, y: float, z: float) -> np.ndarray:
    return cv2.Rodrigues(np.radians([x, y, z]))[0]


def homography(wall: Wall, R: np.ndarray, t: np.ndarray, camera: Intrinsics = CAMERA) -> np.ndarray:
    """From pixels of the first view to those of the second."""
    return camera.K @ (R + np.outer(t, wall.normal)) @ np.linalg.inv(camera.K)


def view(H: np.ndarray, known: bool = True, camera: Intrinsics = CAMERA) -> Frame:
    """The texture seen by the second view, of which the first sees the middle."""
    H_view_texture = H @ np.array([[1.0, 0, -290], [0, 1.0, -330], [0, 0, 1]])
    image = cv2.warpPerspective(texture(), H_view_texture, (camera.width, camera.height))
    return Frame(image, 0, intrinsics=camera if known else None)


ALL = Outputs()


def predict(a: Frame, b: Frame, outputs: Outputs = ALL) -> PairPrediction:
    engine = GeometricEngine()
    return engine.decode([tuple(engine.encode([a, b]))], outputs)


SLANTED = Wall((0.1, -0.2, 0.5))
MOVED = turned(1, -4, 2), np.array([0.25, 0.05, 0.1])


@pytest.fixture(scope="module")
def slanted():
    return predict(view(np.eye(3)), view(homography(SLANTED, *MOVED)))


def wall_depth(wall: Wall, camera: Intrinsics = CAMERA) -> np.ndarray:
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones_like(x)], -1)
    return 1 / (rays @ np.array(wall.normal))


def test_it_keeps_the_contract(slanted):
    engine = GeometricEngine()
    assert isinstance(engine, Engine)
    assert not (engine.info.metric or engine.info.monocular or engine.info.descriptors)
    for name in ("points_a", "points_b", "normals_a", "normals_b"):
        maps = getattr(slanted, name)
        assert maps.shape == (1, 240, 320, 3) and maps.dtype == torch.float32
        assert maps.isfinite().all()
    assert slanted.pixels_b_in_a.shape == (1, 240, 320, 2)
    for confidence in (slanted.confidence_a, slanted.confidence_b, slanted.pixels_confidence):
        assert confidence.shape == (1, 240, 320) and (confidence >= 1).all()


def test_depth_is_right_in_units_of_the_baseline(slanted):
    sure = slanted.confidence_a[0].numpy() > 1.5
    truth = wall_depth(SLANTED) / np.linalg.norm(MOVED[1])
    error = np.abs(slanted.points_a[0, ..., 2].numpy() / truth - 1)
    assert sure.mean() > 0.6
    assert np.median(error[sure]) < 0.02


def test_the_second_views_points_lie_on_the_same_wall_in_the_firsts_frame(slanted):
    sure = slanted.confidence_b[0].numpy() > 1.5
    points = slanted.points_b[0].numpy()[sure] * np.linalg.norm(MOVED[1])
    off = points @ np.array(SLANTED.normal) - 1
    assert sure.mean() > 0.5
    assert np.median(np.abs(off)) < 0.02


def test_normals_are_the_walls_each_in_its_own_frame(slanted):
    true = -np.array(SLANTED.normal) / np.linalg.norm(SLANTED.normal)
    for normals, confidence, expected in (
        (slanted.normals_a, slanted.confidence_a, true),
        (slanted.normals_b, slanted.confidence_b, MOVED[0] @ true),
    ):
        found = normals[0].numpy()[confidence[0].numpy() > 1.5]
        assert np.allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-4)
        angles = np.degrees(np.arccos(np.clip(found @ expected, -1, 1)))
        assert np.median(angles) < 8


def test_pixels_of_the_second_view_are_found_in_the_first(slanted):
    H = np.linalg.inv(homography(SLANTED, *MOVED))
    x, y = np.meshgrid(np.arange(320), np.arange(240))
    expected = cv2.perspectiveTransform(np.stack([x, y], -1).astype(np.float64), H)
    sure = slanted.pixels_confidence[0].numpy() > 1.5
    miss = np.linalg.norm(slanted.pixels_b_in_a[0].numpy() - expected, axis=-1)
    assert sure.mean() > 0.5
    assert np.median(miss[sure]) < 0.5


def test_other_exposure_changes_little():
    other = view(homography(SLANTED, *MOVED))
    darker = (255 * (other.image / 255.0) ** 1.8 * 0.6).astype(np.uint8)
    found = predict(view(np.eye(3)), Frame(darker, 1, intrinsics=CAMERA))
    sure = found.confidence_a[0].numpy() > 1.5
    depth = found.points_a[0, ..., 2].numpy() * np.linalg.norm(MOVED[1])
    assert sure.mean() > 0.5
    assert np.median(np.abs(depth / wall_depth(SLANTED) - 1)[sure]) < 0.03


def test_error_rises_as_confidence_falls(slanted):
    error = np.abs(
        slanted.points_a[0, ..., 2].numpy() * np.linalg.norm(MOVED[1]) / wall_depth(SLANTED) - 1
    )
    order = np.argsort(-slanted.confidence_a[0].numpy().ravel())
    thirds = [np.median(part) for part in np.array_split(error.ravel()[order], 3)]
    assert thirds[0] < thirds[2]


def blank(shade: int = 128) -> Frame:
    return Frame(np.full((240, 320, 3), shade, np.uint8), 0, intrinsics=CAMERA)


def noise(seed: int) -> Frame:
    image = np.random.default_rng(seed).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    return Frame(image, 0, intrinsics=CAMERA)


NO_BASELINE = np.zeros(3)
WITHOUT_PARALLAX = {
    "same image": lambda: (view(np.eye(3)), view(np.eye(3))),
    "turned": lambda: (
        view(np.eye(3)),
        view(homography(SLANTED, turned(3, 6, -4), NO_BASELINE)),
    ),
    "turned, camera unknown": lambda: (
        view(np.eye(3), known=False),
        view(homography(SLANTED, turned(3, 6, -4), NO_BASELINE), known=False),
    ),
    "blank": lambda: (blank(), blank()),
    "lights out": lambda: (view(np.eye(3)), blank(0)),
    "noise": lambda: (noise(1), noise(2)),
    "nothing in common": lambda: (view(np.eye(3)), Frame(texture(7)[:240, :320], 0, "c", CAMERA)),
}


@pytest.mark.parametrize("pair", WITHOUT_PARALLAX.values(), ids=WITHOUT_PARALLAX)
def test_no_depth_is_invented_without_parallax(pair):
    found = predict(*pair())
    assert (found.confidence_a == 1).all() and (found.confidence_b == 1).all()
    assert found.points_a.isfinite().all() and found.normals_b.isfinite().all()


def test_turning_on_the_spot_still_gives_correspondences():
    found = predict(*WITHOUT_PARALLAX["turned"]())
    assert (found.pixels_confidence > 1.5).float().mean() > 0.5


def test_equal_input_gives_equal_output(slanted):
    again = predict(view(np.eye(3)), view(homography(SLANTED, *MOVED)))
    for field in fields(slanted):
        first, second = getattr(slanted, field.name), getattr(again, field.name)
        assert (first is None and second is None) or torch.equal(first, second)


def test_only_what_is_asked_for_is_given():
    a, b = view(np.eye(3)), view(homography(SLANTED, *MOVED))
    found = predict(a, b, outputs=Outputs(points="b", normals=""))
    assert found.points_b is not None and found.confidence_b is not None
    assert found.points_a is None and found.normals_a is None and found.normals_b is None


def test_max_side_reduces_image_and_intrinsics():
    engine = GeometricEngine(GeometricConfig(max_side=160))
    features = engine.encode([view(np.eye(3))])[0]
    assert features.placement.size == (120, 160)
    assert features.intrinsics == CAMERA.resized(160, 120)


@pytest.mark.parametrize("size", [(16, 16), (16, 300), (300, 16)])
def test_small_images_are_matched_or_tell_nothing(size):
    frame = Frame(np.ascontiguousarray(texture()[: size[0], : size[1]]), 0)
    assert (predict(frame, frame).confidence_a == 1).all()


def test_images_too_small_to_match_are_refused():
    with pytest.raises(ValueError, match="12 x 300 pixels"):
        GeometricEngine().encode([Frame(texture()[:300, :12].copy(), 0)])


def test_pairs_of_a_batch_do_not_mix():
    engine = GeometricEngine()
    a, b, c = engine.encode([view(np.eye(3)), view(homography(SLANTED, *MOVED)), view(np.eye(3))])
    both = engine.decode([(a, b), (a, c)], Outputs())
    alone = engine.decode([(a, b)], Outputs())
    assert torch.equal(both.points_a[:1], alone.points_a)
    assert (both.confidence_a[1] == 1).all()


@pytest.mark.skipif(not HOLOLENS.exists(), reason=f"{HOLOLENS} is not here")
class TestRealImages:
    """Two places of a real walk, calibrated, and what must not be read from one real image."""

    @pytest.mark.parametrize("index", [60, 120])
    def test_depth_of_the_confident_half(self, index):
        source = open_source(HOLOLENS)
        found = predict(source[index], source[index + 3])
        truth = source.truth(index).depth
        known = np.isfinite(truth)
        confidence = found.confidence_a[0].numpy()[known]
        half = np.argsort(-confidence)[: known.sum() // 2]
        ratio = found.points_a[0, ..., 2].numpy()[known][half] / truth[known][half]
        assert np.median(np.abs(ratio / np.median(ratio) - 1)) < 0.06

    @pytest.mark.parametrize("known", [True, False])
    def test_a_turned_real_image_has_no_depth(self, known):
        frame = open_source(HOLOLENS)[60]
        camera = frame.intrinsics
        H = camera.K @ turned(2, 5, 1) @ np.linalg.inv(camera.K)
        seen = cv2.warpPerspective(frame.image, H, (camera.width, camera.height))
        told = camera if known else None
        found = predict(Frame(frame.image, 0, intrinsics=told), Frame(seen, 1, intrinsics=told))
        assert (found.confidence_a == 1).all() and (found.confidence_b == 1).all()

    def test_a_slight_shift_of_a_small_image_has_no_depth(self):
        """A turn explains it nearly as well: the direction once came out 60 degrees off."""
        source = open_source(HOLOLENS)
        a, b = (
            Frame(
                cv2.resize(frame.image, (320, 213), interpolation=cv2.INTER_AREA),
                frame.stamp,
                intrinsics=frame.intrinsics.resized(320, 213),
            )
            for frame in (source[3], source[5])
        )
        assert (predict(a, b).confidence_a == 1).all()

    @pytest.mark.parametrize("known", [True, False])
    @pytest.mark.parametrize("index", [0, 40, 80])
    def test_images_of_different_places_have_no_depth(self, index, known):
        source = open_source(HOLOLENS)
        a, b = (
            Frame(frame.image, frame.stamp, intrinsics=frame.intrinsics if known else None)
            for frame in (source[index], source[index + 60])
        )
        assert (predict(a, b).confidence_a == 1).all()
