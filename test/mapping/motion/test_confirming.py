# SPDX-License-Identifier: Apache-2.0
"""If these fail, people whom the masks missed stand in the map, or walls never enter it."""

from __future__ import annotations

import numpy as np

from dens3r_ros.mapping.motion.confirming import Confirming

SIZE = (21, 31)
SECOND = 1_000_000_000


def of_depth(depth: float, weight: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    return np.full(SIZE, depth, np.float32), np.full(SIZE, weight, np.float32)


def test_points_enter_the_map_once_they_stood_still_for_a_while() -> None:
    confirming = Confirming(SIZE, 0)
    assert not confirming.confirmed().any()
    for frame in range(1, 4):
        confirming.tell(of_depth(2.0), of_depth(2.02), frame * SECOND // 30)
    assert not confirming.confirmed().any()
    for frame in range(4, 8):
        confirming.tell(of_depth(2.0), of_depth(1.98), frame * SECOND // 30)
    assert confirming.confirmed().shape == SIZE
    assert confirming.confirmed().all()


def test_few_images_a_second_confirm_as_well() -> None:
    confirming = Confirming(SIZE, 0)
    confirming.tell(of_depth(2.0), of_depth(2.0), 5 * SECOND)
    assert not confirming.confirmed().any()
    confirming.tell(of_depth(2.0), of_depth(2.0), 10 * SECOND)
    assert confirming.confirmed().all()


def test_what_comes_nearer_or_is_gone_has_to_stand_still_again() -> None:
    confirming = Confirming(SIZE, 0)
    for second in (1, 2, 3):
        confirming.tell(of_depth(2.0), of_depth(2.0), second * SECOND)
    left = of_depth(2.0)
    left[0][:, 16:] = 4.0
    confirming.tell(of_depth(2.0), left, 4 * SECOND)
    assert confirming.confirmed()[:, :16].all()
    assert not confirming.confirmed()[:, 16:].any()


def test_predictions_that_tell_nothing_neither_confirm_nor_contradict() -> None:
    confirming = Confirming(SIZE, 0)
    for second in (1, 2, 3):
        confirming.tell(of_depth(2.0), of_depth(2.0), second * SECOND)
    confirming.tell(of_depth(2.0), of_depth(9.0, weight=0.0), 4 * SECOND)
    assert confirming.confirmed().all()


def test_other_keyframes_confirm_what_they_see() -> None:
    confirming = Confirming(SIZE, 0)
    seen = np.zeros(SIZE, bool)
    seen[:10] = True
    for _ in range(3):
        confirming.found_again(seen)
    assert confirming.confirmed()[:10].all()
    assert not confirming.confirmed()[10:].any()
