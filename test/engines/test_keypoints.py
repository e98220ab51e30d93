# SPDX-License-Identifier: Apache-2.0
"""If quick keypoints mislead, every pair of a small computer goes wrong; if they are not enough
and nothing sturdier follows, a robot that turns fast is lost; if it always follows, all is slow."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dens3r_ros.engines.geometric.correspondence import correspond
from dens3r_ros.engines.geometric.features import ImageFeatures, image_features
from dens3r_ros.engines.geometric.keypoints import binary_keypoints, matched, sift_keypoints

SIZE = (320, 240)


def blobs() -> np.ndarray:
    random = np.random.default_rng(3)
    layers = [
        cv2.resize(random.random((size, size, 3)), (900, 900), interpolation=cv2.INTER_CUBIC)
        for size in (30, 90, 225)
    ]
    return np.clip(sum(layers) / 3 * 400 - 75, 0, 255).astype(np.uint8)


def seen(degrees: float = 0.0, scale: float = 1.0, shift: tuple[float, float] = (0, 0)):
    """(320 x 240) part of the blobs, and where the first one's pixels lie in it (2, 3)."""
    A = cv2.getRotationMatrix2D((450, 450), degrees, scale)
    A[:, 2] += np.array(shift) - (290, 330)
    of_first = np.vstack([A, [0, 0, 1]]) @ np.array([[1, 0, 290.0], [0, 1, 330], [0, 0, 1]])
    return cv2.warpAffine(blobs(), A, SIZE), of_first[:2]


def features(**moved: float) -> tuple[ImageFeatures, np.ndarray]:
    image, A = seen(**moved)
    return image_features(image), A


@pytest.mark.parametrize("find", [binary_keypoints, sift_keypoints])
def test_matches_lie_where_the_image_was_moved_to(find) -> None:
    (first, _), (other, A) = seen(), seen(degrees=5, shift=(12, -7))
    a, b = (find(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) for image in (first, other))
    pixels_a, pixels_b = matched(a, b)
    off = np.linalg.norm(pixels_a @ A[:, :2].T + A[:, 2] - pixels_b, axis=1)
    assert len(off) > 60
    assert np.median(off) < 1 and (off < 3).mean() > 0.95


@pytest.mark.parametrize("find", [binary_keypoints, sift_keypoints])
def test_a_blank_wall_has_none_and_matches_nothing(find) -> None:
    blank = find(np.full((240, 320), 128, np.uint8))
    some = find(cv2.cvtColor(seen()[0], cv2.COLOR_RGB2GRAY))
    for pair in ((blank, some), (some, blank), (blank, blank)):
        assert len(matched(*pair)[0]) == 0


def test_sturdy_keypoints_are_made_only_where_quick_ones_do_not_do() -> None:
    (a, _), (near, _), (far, _) = (
        features(),
        features(shift=(8, 3)),
        features(degrees=60, scale=2.5),
    )
    correspond(a, near, None)
    assert "sturdy" not in vars(a) and "sturdy" not in vars(near)
    correspond(a, far, None)
    assert "sturdy" in vars(a) and "sturdy" in vars(far)


@pytest.mark.parametrize("moved", [{"shift": (8, 3)}, {"degrees": 60, "scale": 2.5}])
def test_flow_ends_where_the_image_was_moved_to(moved) -> None:
    (a, _), (b, A) = features(), features(**moved)
    found = correspond(a, b, None)
    y, x = np.mgrid[:240, :320]
    there = np.dstack([x, y]) @ A[:, :2].T + A[:, 2]
    inside = ((there > 8) & (there < np.array(SIZE) - 8)).all(-1)
    off = np.linalg.norm(found.flow.forward + np.dstack([x, y]) - there, axis=-1)
    assert np.median(off[inside]) < 0.5
    tracks = np.linalg.norm(found.pixels_a @ A[:, :2].T + A[:, 2] - found.pixels_b, axis=1)
    assert found.keypoints > 12 and np.median(tracks[-found.keypoints :]) < 1.5
