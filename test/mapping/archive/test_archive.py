# SPDX-License-Identifier: Apache-2.0
"""The archive bounds memory over hours; what it gives back must still serve to close loops."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import cv2
import numpy as np
import pytest

from dens3r_ros.engines.preprocess import Sizing, intrinsics_at, place
from dens3r_ros.engines.protocol import Features
from dens3r_ros.frame import Frame
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.mapping.archive.archive import Archive, archive_bytes
from dens3r_ros.mapping.archive.stored import pack
from dens3r_ros.mapping.config import ArchiveConfig
from dens3r_ros.mapping.graph.graph import PoseGraph
from dens3r_ros.mapping.motion.confirming import Confirming
from dens3r_ros.mapping.places.place import Places
from dens3r_ros.mapping.tracking.depth.fusion import canonical_from
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.refinement import Texture, textured_pixels

LENS = Intrinsics(300.0, 300.0, 199.5, 149.5, 400, 300)


class Encoder:
    """An engine that only encodes, at most `long_side` large."""

    def __init__(self, long_side: int = 320) -> None:
        self.long_side, self.encoded = long_side, 0

    def encode(self, frames):
        self.encoded += len(frames)
        return [self._one(frame) for frame in frames]

    def _one(self, frame):
        placement = place(frame.size, Sizing(16, self.long_side))
        return Features(frame, placement, intrinsics_at(frame.intrinsics, placement), None)


def slope(camera: Intrinsics) -> np.ndarray:
    """Depth of a slanted wall with a box in front of it, for any size of the same camera."""
    rays = pixel_rays(camera).numpy()
    wall = 3 / (1 - 0.4 * rays[..., 0])
    box = (np.abs(rays[..., 0]) < 0.2) & (np.abs(rays[..., 1]) < 0.15)
    return np.where(box, 1.5, wall).astype(np.float32)


def photo(seed: int, size=(300, 400)) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 255, (*size, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2.0)


def keyframe(number: int, engine: Encoder, calibrated=True, image=None) -> Keyframe:
    frame = Frame(photo(number) if image is None else image, number, "front", LENS)
    features = engine.encode([frame])[0]
    camera = features.intrinsics
    depth = slope(camera)
    rays = pixel_rays(camera).numpy()
    confidence = np.where(rays[..., 0] > 0.5, 1.0, 5.0).astype(np.float32)
    pinned = rays if calibrated else None
    canonical = canonical_from(rays * depth[..., None], confidence, 1.0, pinned)
    grey = cv2.cvtColor(features.frame.image, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, (camera.width, camera.height))
    texture = Texture(grey, textured_pixels(grey))
    return Keyframe(number, features, canonical, camera, calibrated, texture)


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("side", [320, 224])
def test_a_revived_keyframe_is_much_what_it_was_even_for_an_engine_of_another_size(
    calibrated, side
) -> None:
    archive = Archive(Encoder(side))
    made = keyframe(3, Encoder(320), calibrated)
    archive.add(made)
    back = archive.revive(3)
    assert (back.id, back.stamp, back.camera_name, back.calibrated) == (3, 3, "front", calibrated)
    assert back.camera == back.features.intrinsics
    assert back.size == back.features.placement.size
    known = back.canonical.weight > 0
    assert known.mean() == pytest.approx((made.canonical.weight > 0).mean(), abs=0.03)
    off = np.abs(back.canonical.points[..., 2] / slope(back.camera) - 1)
    assert np.median(off[known]) < 2e-3
    assert (off[known] < 0.02).mean() > 0.97
    assert np.median(back.canonical.confidence[known]) == pytest.approx(5, abs=0.01)
    difference = back.features.frame.image.astype(int) - made.features.frame.image
    assert np.abs(difference).mean() < 6
    assert len(back.texture.pixels) > 20
    assert (back.canonical.rays is not None) == calibrated


def test_reviving_again_does_not_encode_again() -> None:
    engine = Encoder()
    archive = Archive(engine)
    archive.add(keyframe(0, Encoder()))
    assert archive.revive(0) is archive.revive(0)
    assert engine.encoded == 1


def test_archived_keyframes_can_be_shown_small() -> None:
    archive = Archive(Encoder())
    archive.add(keyframe(0, Encoder()))
    view = archive.shown(0)
    assert view.points.shape == (60, 80, 3)
    assert view.colours.shape == view.points.shape
    known = view.confidence > 1
    assert np.median(np.abs(view.points[..., 2] / slope(view.camera) - 1)[known]) < 2e-3


def test_what_was_not_seen_to_stand_still_is_neither_shown_nor_kept() -> None:
    one = keyframe(0, Encoder())
    one.confirming = Confirming(one.size, one.stamp)
    steady = np.zeros(one.size, bool)
    steady[:, : one.size[1] // 2] = True
    for _ in range(4):
        one.confirming.found_again(steady)
    known = one.canonical.weight > 0
    assert (one.shown[known & steady] > 1).all() and (one.shown[~steady] == 1).all()
    kept = pack(one, 90).depth > 0
    half = kept.shape[1] // 2
    assert kept[:, :half].all() and not kept[:, half + 1 :].any()


def test_memory_is_what_is_stated() -> None:
    count = 40
    engine, archive, places = Encoder(), Archive(Encoder()), Places()
    made = [keyframe(n, engine) for n in range(count)]

    places.query(made[0].features.frame.image, 1)
    tracemalloc.start()
    for one in made:
        archive.add(one)
        places.add(one.id, one.features.frame.image)
    real = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    stated = archive_bytes(count, (300, 400), made[0].size)
    assert 0.3 * stated < real <= stated


def test_images_that_do_not_compress_stay_within_what_is_stated() -> None:
    archive = Archive(Encoder())
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3)).astype(np.uint8)
    made = keyframe(0, Encoder(), image=noise)
    archive.add(made)
    stored = archive.stored(0)
    size = len(stored.jpeg) + stored.depth.nbytes + stored.confidence.nbytes
    assert size < archive_bytes(1, (300, 400), made.size)


def test_beyond_the_limit_what_sees_the_same_merges() -> None:
    """Keyframes along a corridor, many of them on one spot: the corridor stays covered."""
    archive = Archive(Encoder(), ArchiveConfig(keyframes=30))
    one, graph, gone = keyframe(0, Encoder()), PoseGraph(), []
    for n in range(60):
        S = np.eye(4)
        S[0, 3] = 2.0 * n if n < 20 else 0.001 * n
        graph.add_keyframe(n, S)
        graph.pieces.tie(n and min(archive, default=0), n)
        archive.add(replace(one, id=n))
        for leaving, staying in archive.redundant(graph, {40}):
            archive.merge(leaving, staying, graph.relative(staying, leaving))
            gone.append(leaving)
        assert len(archive) <= 30
    assert {*range(1, 20), 40} <= set(archive)
    assert sorted([*gone, *archive]) == list(range(60))


def test_a_merged_keyframe_leaves_its_depth_behind() -> None:
    """Two keyframes that err in opposite ways are better together than either."""
    archive = Archive(Encoder())
    for number, wrong in enumerate((1.02, 0.98)):
        made = keyframe(number, Encoder())
        made.canonical.points *= wrong
        archive.add(made)
    S_into_gone = np.eye(4)
    S_into_gone[:3, :3] *= 1.01
    archive.merge(1, 0, S_into_gone)
    assert list(archive) == [0]
    found = archive.shown(0).points[..., 2]
    known = archive.shown(0).confidence > 1
    off = np.median((found / slope(archive.shown(0).camera))[known])
    assert off == pytest.approx((1.02 + 0.98 * 1.01) / 2, abs=2e-3)
    assert archive.stored(0).folds > 1.7
