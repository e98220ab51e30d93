# SPDX-License-Identifier: Apache-2.0
"""Without optimisation people see what these splats show: gaps, fog, or the room."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from dens3r_ros.splats.drawing.projection import axes_of
from dens3r_ros.splats.drawing.rendering import picture, render
from dens3r_ros.splats.from_views import SplatOptions, splats_of_views
from dens3r_ros.splats.gaussians import gaussians_of
from dens3r_ros.splats.quality import psnr, ssim
from dens3r_ros.splats.view import PhotoView


def views(source, indices) -> list[PhotoView]:
    found = []
    for index in indices:
        truth = source.truth(index)
        frame = source[index]
        found.append(PhotoView(frame.image, frame.intrinsics, truth.T_world_camera, truth.depth))
    return found


@pytest.fixture(scope="module")
def three(walk) -> list[PhotoView]:
    return views(walk, (0, 3, 6))


def test_a_room_is_seen_whole_from_where_no_image_was_taken(walk, three) -> None:
    splats = splats_of_views(three)
    view = views(walk, (4,))[0]
    colours, light = render(gaussians_of(splats), view.camera, view.T_world_camera)
    seen = light < 0.05
    assert seen.float().mean() > 0.95
    # The walls are noise, finer than pixels: what is left is compared; three pixels beside its
    # place it would come to less than 0.6.
    both = [cv2.blur(one, (7, 7)) for one in (colours.numpy(), view.image.astype(np.float32))]
    assert np.corrcoef(*(one[seen.numpy()].ravel() for one in both))[0, 1] > 0.8
    shown = picture(splats, view.camera, view.T_world_camera)
    assert shown.dtype == np.uint8 and shown.shape == view.image.shape


def test_discs_lie_along_the_walls_and_are_as_wide_as_a_pixel(three) -> None:
    view = three[0]
    splats = splats_of_views([view])
    assert 0.3 < len(splats) / view.depth.size <= 1
    thin = axes_of(torch.from_numpy(splats.rotations))[..., 2].numpy()
    # Of a box: one component is all.
    assert (np.abs(thin).max(1) > 0.999).mean() > 0.8
    assert np.median(splats.log_scales[:, 2] - splats.log_scales[:, 1]) < -1
    T = np.linalg.inv(view.T_world_camera)
    depth = (splats.means @ T[:3, :3].T + T[:3, 3])[:, 2]
    wide = np.exp(splats.log_scales[:, 1]) / (depth / view.camera.fx)
    assert 0.2 < np.median(wide) < 1.5
    assert splats.harmonics.shape[1] == 1 and splats.opacities.min() > 0.9


def test_a_cube_holds_one_splat(three) -> None:
    coarse = splats_of_views(three, options=SplatOptions(voxel=0.2))
    cells = np.floor(coarse.means.astype(np.float64) / 0.2 + 1e-9)
    assert len(np.unique(cells, axis=0)) > 0.98 * len(coarse)
    assert len(coarse) < 0.3 * len(splats_of_views(three))


def test_doubtful_and_moving_pixels_are_left_out(three) -> None:
    view = three[0]
    confidence = np.full(view.depth.shape, 5.0, np.float32)
    confidence[:, :80] = 1.2
    moving = np.zeros(view.depth.shape, bool)
    moving[:56] = True
    splats = splats_of_views([replace(view, confidence=confidence, moving=moving)])
    T = np.linalg.inv(view.T_world_camera)
    points = splats.means @ T[:3, :3].T + T[:3, 3]
    x, y = (points[:, :2] / points[:, 2:] * view.camera.fx).T
    assert (x + view.camera.cx > 79.4).all() and (y + view.camera.cy > 55.4).all()
    assert np.allclose(splats.opacities, 0.96)


def test_no_views_and_views_without_depth_give_none(three) -> None:
    assert len(splats_of_views([])) == 0
    unknown = replace(three[0], depth=np.full_like(three[0].depth, np.nan))
    assert len(splats_of_views([unknown])) == 0


def test_equal_images_are_alike_and_others_less() -> None:
    random = torch.Generator().manual_seed(0)
    image = torch.rand(40, 50, 3, generator=random)
    noisy = (image + 0.1 * torch.randn(40, 50, 3, generator=random)).clamp(0, 1)
    assert ssim(image, image) == pytest.approx(1, abs=1e-4)
    assert 0.3 < ssim(noisy, image) < 0.98
    assert 19 < psnr(noisy, image) < 22
    assert psnr(image, image) > 100
