# SPDX-License-Identifier: Apache-2.0
"""If these fail, networks get images prepared otherwise than those they were trained on."""

from __future__ import annotations

import numpy as np
import pytest
from published_views import ABSENT, FIXTURES, arrays_of

from dens3r_ros.network.parts.input_sizes import cut_to_smallest, fit_depth_anything, fit_vggt

needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason=ABSENT)


@needs_fixtures
@pytest.mark.parametrize("index", range(5))
def test_published_images_for_depth_anything(index: int) -> None:
    arrays, config = arrays_of("da3_small")
    facts, start = config["preproc"][index], f"preproc/{index}/"
    image, intrinsics = fit_depth_anything(
        arrays[f"{start}in_u8"], arrays[f"{start}K_in"], facts["process_res"], facts["method"]
    )
    assert np.array_equal(image, arrays[f"{start}out_u8"])
    np.testing.assert_allclose(intrinsics, arrays[f"{start}K_out"], rtol=1e-5)


@needs_fixtures
def test_published_images_of_two_sizes() -> None:
    arrays, _ = arrays_of("da3_small")
    images = [fit_depth_anything(arrays[f"preproc/mixed/in{n}_u8"], side=112)[0] for n in (0, 1)]
    assert np.array_equal(np.stack(cut_to_smallest(images)[0]), arrays["preproc/mixed/out_u8"])


@needs_fixtures
def test_published_sizes_for_depth_anything() -> None:
    for width, height, rule, *expected in arrays_of("da3_small")[1]["sizes_504"]:
        image, _ = fit_depth_anything(np.zeros((height, width, 3), np.uint8), rule=rule)
        assert [image.shape[1], image.shape[0]] == expected, (width, height, rule)


@needs_fixtures
@pytest.mark.parametrize("index", range(3))
def test_published_images_for_vggt(index: int) -> None:
    arrays, config = arrays_of("vggt_small")
    start = f"preproc/{index}/"
    image = fit_vggt(arrays[f"{start}in_u8"], rule=config["preproc"][index]["mode"])
    assert np.array_equal(image[::5, ::5], arrays[f"{start}out_u8@::5"])


@needs_fixtures
def test_published_sizes_for_vggt() -> None:
    for width, height, rule, *expected in arrays_of("vggt_small")[1]["sizes_518"]:
        image = fit_vggt(np.zeros((height, width, 3), np.uint8), rule=rule)
        assert [image.shape[1], image.shape[0]] == expected, (width, height, rule)


def test_intrinsics_follow_the_pixels() -> None:
    intrinsics = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
    image, fitted = fit_depth_anything(np.zeros((480, 640, 3), np.uint8), intrinsics)
    assert image.shape == (378, 504, 3)
    np.testing.assert_allclose(fitted, [[393.75, 0, 252], [0, 393.75, 189], [0, 0, 1]])


def test_a_cut_moves_the_principal_point() -> None:
    intrinsics = np.array([[100.0, 0, 50], [0, 100, 40], [0, 0, 1]])
    images = [np.zeros((80, 100, 3), np.uint8), np.zeros((60, 90, 3), np.uint8)]
    cut, (moved, same) = cut_to_smallest(images, [intrinsics, intrinsics])
    assert [image.shape for image in cut] == [(60, 90, 3)] * 2
    assert (moved[0, 2], moved[1, 2]) == (45, 30)
    assert np.array_equal(same, intrinsics)


def test_a_tiny_image_has_one_patch() -> None:
    assert fit_depth_anything(np.zeros((2, 400, 3), np.uint8))[0].shape == (14, 504, 3)
