# SPDX-License-Identifier: Apache-2.0
"""If these fail, what is seen in a resized or cropped image is placed beside where it is."""

import cv2
import numpy as np
import pytest
import torch

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import pixel_rays, project, unproject

CAMERA = Intrinsics(500.0, 520.0, 310.0, 250.0, 640, 480)


def gradient_images() -> list[np.ndarray]:
    """Images whose values are the x and the y of each pixel."""
    x, y = np.meshgrid(np.arange(640.0), np.arange(480.0))
    return [x, y]


def assert_rays_follow(turned: Intrinsics, images: list[np.ndarray], margin: int = 8) -> None:
    """Each pixel's ray is that of the original pixel which the changed images say it shows."""
    x, y = images
    assert x.shape == (turned.height, turned.width)
    rays = pixel_rays(turned).numpy()[margin:-margin, margin:-margin]
    x, y = x[margin:-margin, margin:-margin], y[margin:-margin, margin:-margin]
    slopes = np.stack([(x - CAMERA.cx) / CAMERA.fx, (y - CAMERA.cy) / CAMERA.fy], -1)
    assert np.allclose(rays[..., :2], slopes, atol=1e-3 / CAMERA.fx)


def test_resized_camera_sees_what_the_resized_image_shows():
    images = [cv2.resize(i, (320, 160), interpolation=cv2.INTER_AREA) for i in gradient_images()]
    assert_rays_follow(CAMERA.resized(320, 160), images)


def test_cropped_camera_sees_what_the_cropped_image_shows():
    images = [image[30:330, 100:500] for image in gradient_images()]
    assert_rays_follow(CAMERA.cropped(100, 30, 400, 300), images)


@pytest.mark.parametrize("quarter_turns", [-1, 0, 1, 2, 3, 5])
def test_turned_camera_sees_what_the_turned_image_shows(quarter_turns):
    turned = CAMERA.turned(quarter_turns)
    rays = pixel_rays(turned).numpy()
    expected = np.rot90(pixel_rays(CAMERA).numpy(), quarter_turns)
    angle = -quarter_turns * np.pi / 2
    cosine, sine = np.cos(angle), np.sin(angle)
    roll = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    assert rays.shape == expected.shape
    assert np.allclose(rays, expected @ roll.T, atol=1e-6)


def test_four_quarter_turns_change_nothing():
    assert CAMERA.turned(4) == CAMERA and CAMERA.turned(1).turned(3) == CAMERA


def test_project_undoes_unproject():
    depth = 1 + torch.rand(2, 480, 640, generator=torch.Generator().manual_seed(0))
    points = unproject(depth, CAMERA)
    assert torch.equal(points[..., 2], depth)
    pixels = project(points, torch.from_numpy(CAMERA.K))
    x, y = (torch.from_numpy(image).float() for image in gradient_images())
    assert torch.allclose(pixels, torch.stack([x, y], -1).expand_as(pixels), atol=1e-3)
    per_camera = torch.from_numpy(np.stack([CAMERA.K, CAMERA.K]))
    assert torch.equal(project(points, per_camera), pixels)
    assert torch.equal(project(points[0, 0, 0], torch.from_numpy(CAMERA.K)), pixels[0, 0, 0])
