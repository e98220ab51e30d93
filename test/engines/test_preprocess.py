# SPDX-License-Identifier: Apache-2.0
"""Wrong preprocessing costs accuracy silently: pixels differ from the training's, or a map is read
at the wrong place of the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dens3r_ros.engines.preprocess import (
    Sizing,
    intrinsics_at,
    place,
    resample,
    restore,
    upright,
)
from dens3r_ros.geometry.camera import Intrinsics

FIXTURE = Path(__file__).parents[2].parent / "shared" / "fixtures" / "preproc.npz"
SHAPES = [(480, 640), (640, 480), (1080, 1920), (500, 500), (333, 187)]
SIZINGS = [
    Sizing(),
    Sizing(square_ok=True, turn_portrait=True),
    Sizing(long_side=224, square=True),
    Sizing(patch=14, long_side=518),
    Sizing(long_side=2048, square_ok=True, turn_portrait=True),
    Sizing(fixed=(256, 320)),
]


@pytest.mark.parametrize("sizing", SIZINGS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("exact", [True, False])
def test_every_shape_fits_the_patches(shape: tuple[int, int], sizing: Sizing, exact: bool) -> None:
    placement = place(shape, sizing)
    pixels = resample(np.zeros((*shape, 3), np.uint8), placement, exact)
    assert pixels.shape == (*placement.size, 3)
    assert all(side % sizing.patch == 0 for side in placement.size)
    if sizing.turn_portrait:
        assert placement.size[1] >= placement.size[0]


@pytest.mark.parametrize("sizing", SIZINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_fast_and_exact_pixels_show_the_same_place(shape: tuple[int, int], sizing: Sizing) -> None:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    waves = [np.sin(rows / 40), np.sin(columns / 40), np.cos((rows + columns) / 50)]
    image = (np.stack(waves, -1) * 100 + 128).astype(np.uint8)
    placement = place(shape, sizing)
    exact = resample(image, placement, exact=True).astype(int)
    fast = resample(image, placement).astype(int)
    assert np.abs(exact - fast).max() <= 3


@pytest.mark.parametrize("sizing", SIZINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_intrinsics_project_to_where_the_pixel_went(shape: tuple[int, int], sizing: Sizing) -> None:
    """A ray through a bright spot meets the same spot in the network's image."""
    camera = Intrinsics(500.0, 520.0, shape[1] / 2 - 7, shape[0] / 2 + 5, shape[1], shape[0])
    placement = place(shape, sizing)
    x, y = shape[1] * 0.45, shape[0] * 0.55
    ray = np.linalg.inv(camera.K) @ (x, y, 1.0)
    upright_pixel = intrinsics_at(camera, upright(placement)).K @ ray
    if placement.quarter_turns:
        ray = np.array([ray[1], -ray[0], ray[2]])
    turned_pixel = intrinsics_at(camera, placement).K @ ray
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 12.0**2)) * 255
    pixels = resample(np.repeat(spot[..., None], 3, 2).astype(np.uint8), placement)
    weights = pixels[..., 0].astype(float)
    rows, columns = np.mgrid[: placement.size[0], : placement.size[1]]
    centre = [(columns * weights).sum() / weights.sum(), (rows * weights).sum() / weights.sum()]
    np.testing.assert_allclose(turned_pixel[:2], centre, atol=0.15)
    if placement.quarter_turns:
        back = placement.size[0] - 1 - centre[1], centre[0]
        np.testing.assert_allclose(upright_pixel[:2], back, atol=0.15)


@pytest.mark.parametrize("sizing", SIZINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_restored_maps_lie_on_the_original_pixels(shape: tuple[int, int], sizing: Sizing) -> None:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    placement = place(shape, sizing)
    truth = torch.from_numpy(np.stack([rows, columns], -1).astype(np.float32))
    turned = torch.rot90(truth, placement.quarter_turns, (0, 1))
    ratio = np.array(turned.shape[:2]) / placement.resized
    ys, xs = (
        ((np.arange(side) + start + 0.5) * scale).astype(int)
        for side, start, scale in zip(
            placement.size, (placement.top, placement.left), ratio, strict=True
        )
    )
    maps = turned[ys][:, xs]
    whole = restore(maps[None], placement)[0]
    assert whole.shape == truth.shape
    seen = ~whole[..., 0].isnan()
    share = np.prod(placement.size) / np.prod(placement.resized)
    assert seen.float().mean() == pytest.approx(share, abs=0.02)
    assert (whole - truth)[seen].abs().max() <= max(1.0, ratio.max())


def test_too_narrow_an_image_is_refused_with_its_sizes() -> None:
    with pytest.raises(ValueError, match=r"2000x20.*one patch of 16"):
        place((20, 2000), Sizing())


def test_intrinsics_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"640x480.*320x240"):
        intrinsics_at(Intrinsics(1, 1, 1, 1, 640, 480), place((240, 320), Sizing()))
