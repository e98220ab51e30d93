# SPDX-License-Identifier: Apache-2.0
"""If rays find the wrong pixels, overlap, occlusion and scale are all judged wrongly."""

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.mapping.tracking.cameras import CameraEstimate, fit_camera
from dens3r_ros.mapping.tracking.matching import inside, match_rays, project, unit

CAMERA = Intrinsics(130.0, 128.0, 83.0, 51.0, 160, 112)


def pointmap(random: np.random.Generator) -> np.ndarray:
    depth = random.uniform(1, 4, (112, 160, 1)).astype(np.float32)
    return pixel_rays(CAMERA).numpy() * depth


def test_rays_lead_to_the_pixels_that_see_them() -> None:
    random = np.random.default_rng(0)
    pixels = random.uniform((5, 5), (150, 100), (200, 2))
    points = np.stack(((pixels[:, 0] - 83) / 130, (pixels[:, 1] - 51) / 128, np.ones(200)), 1)
    start = pixels + random.uniform(-12, 12, (200, 2))
    found, miss = match_rays(pointmap(random), unit(points), start, 10)
    assert np.abs(found - pixels).max() < 0.05
    assert miss.max() < 1e-3


def test_directions_outside_the_view_keep_a_miss_that_tells() -> None:
    behind = unit(np.array([[5.0, 0.0, 1.0], [0.0, 0.0, -1.0]]))
    _, miss = match_rays(pointmap(np.random.default_rng(1)), behind, np.zeros((2, 2)), 10)
    assert miss.min() > 0.1


def test_points_behind_the_camera_project_nowhere() -> None:
    pixels = project(np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 2.0]]), CAMERA)
    assert inside(pixels, (112, 160)).tolist() == [False, True]


def test_a_pointmap_tells_its_camera_through_outliers() -> None:
    random = np.random.default_rng(2)
    points = pointmap(random)
    points[::9, ::5] *= random.uniform(0.2, 2, points[::9, ::5].shape).astype(np.float32)
    found = fit_camera(points, np.full((112, 160), 3.0, np.float32), step=2)
    assert found is not None
    assert np.allclose((found.fx, found.fy, found.cx, found.cy), (130, 128, 83, 51), atol=1.0)
    assert fit_camera(points, np.ones((112, 160), np.float32)) is None


def test_one_wild_fit_does_not_move_the_estimate() -> None:
    estimate = CameraEstimate()
    for focal in (130.0, 131.0, 900.0):
        estimate.add(Intrinsics(focal, focal, 80.0, 56.0, 160, 112))
    assert estimate.current is not None
    assert estimate.current.fx == 131.0
