# SPDX-License-Identifier: Apache-2.0
"""Where too few corners are found again, as on bare walls, this alone finds quick motion; without
it a camera is lost there."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dens3r_ros.geometry.two_views.shifting import flow_from_shift, likeliest_shift

SIZE = (120, 160)


def wall(seed: int = 0) -> np.ndarray:
    """(H, W) uint8 soft stains, larger than what is looked at."""
    noise = np.random.default_rng(seed).standard_normal((240, 320)).astype(np.float32)
    stains = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.uint8(np.clip(128 + 40 * stains / stains.std(), 0, 255))


def part(image: np.ndarray, x: int, y: int) -> np.ndarray:
    return image[y : y + SIZE[0], x : x + SIZE[1]].copy()


@pytest.mark.parametrize("shift", [(40, 0), (-36, 20), (0, -44)])
def test_a_large_shift_is_found(shift: tuple[int, int]) -> None:
    image = wall()
    a, b = part(image, 80, 60), part(image, 80 - shift[0], 60 - shift[1])
    found = likeliest_shift(a, b)
    assert found is not None and np.abs(found - shift).max() <= 3
    flow = flow_from_shift(a, b)
    assert flow is not None and flow.agreement > 0.4
    back = flow.forward_error < 1
    assert np.median(np.abs(flow.forward[back] - shift)) < 0.5


def test_tiles_that_repeat_are_told_apart_by_their_stains() -> None:
    """The nearest of many that look alike is not the right one."""
    y, x = np.mgrid[:240, :320]
    tiles = 60.0 * ((x % 20 < 2) | (y % 20 < 2))
    image = np.uint8(np.clip(0.5 * wall(3) + tiles, 0, 255))
    found = likeliest_shift(part(image, 80, 60), part(image, 48, 60))
    assert found is not None and np.abs(found - (32, 0)).max() <= 3


def test_images_that_share_nothing_have_no_shift() -> None:
    blank = np.full(SIZE, 90, np.uint8)
    assert likeliest_shift(blank, blank) is None
    assert flow_from_shift(blank, part(wall(), 0, 0)) is None


def test_what_hardly_moves_is_left_to_the_search_from_rest() -> None:
    image = wall()
    assert likeliest_shift(part(image, 80, 60), part(image, 81, 60)) is None
