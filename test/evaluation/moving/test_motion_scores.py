# SPDX-License-Identifier: Apache-2.0
"""Scores that reward a wrong mask would choose the wrong constants."""

import cv2
import numpy as np
import pytest

from dens3r_ros.evaluation.moving.running import share_on_movers
from dens3r_ros.evaluation.moving.scores import mask_score
from dens3r_ros.evaluation.moving.truth import MaskFolder, TrueMotion, true_motion
from dens3r_ros.sources import SourceError, open_source


def _square(low, high):
    mask = np.zeros((60, 80), bool)
    mask[low:high, low:high] = True
    return mask


def test_the_true_mask_scores_full_marks_and_half_of_it_half():
    wanted = TrueMotion(_square(10, 30), _square(10, 30))
    right = mask_score(_square(10, 30), wanted)
    assert (right.j, right.f, right.static_lost) == (1.0, 1.0, 0.0)
    half = _square(10, 30)
    half[:, 20:] = False
    assert mask_score(half, wanted).j == pytest.approx(0.5)
    assert mask_score(half, wanted).f < 0.9


def test_what_hardly_moved_counts_neither_way():
    slow = _square(40, 50)
    wanted = TrueMotion(_square(10, 30) | slow, _square(10, 30))
    assert mask_score(_square(10, 30), wanted).j == 1.0
    assert mask_score(_square(10, 30) | slow, wanted).j == 1.0


def test_still_pixels_that_are_lost_are_told_where_nothing_moves():
    score = mask_score(_square(0, 6), TrueMotion(_square(0, 0), _square(0, 0)))
    assert score.static_lost == pytest.approx(36 / 4800) and np.isnan(score.j)


def test_masks_are_found_by_stamp_in_seconds_and_in_nanoseconds(tmp_path):
    mask = np.where(_square(10, 30), 255, 0).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "12.500000.png"), mask)
    cv2.imwrite(str(tmp_path / "13500000000.png"), 255 - mask)
    folder = MaskFolder(tmp_path)
    assert folder.at(12_505_000_000, (60, 80)).moving.sum() == 400
    assert folder.at(13_500_000_000, (60, 80)).moving.sum() == 4400
    assert folder.at(14_000_000_000, (60, 80)) is None
    with pytest.raises(SourceError, match="80x60"):
        folder.at(12_500_000_000, (30, 40))


def test_a_folder_without_masks_is_told(tmp_path):
    with pytest.raises(SourceError, match="named by stamp"):
        MaskFolder(tmp_path)


def test_only_points_on_movers_and_not_beside_a_wall_count():
    wall, person = np.zeros((1, 3)), np.array([[3.0, 0, 0]])
    points = np.array([[0.05, 0, 0], [3.1, 0, 0], [5.0, 0, 0], [0, 0.1, 0]])
    assert share_on_movers(points, wall, person) == 0.25
    assert share_on_movers(points, wall, np.zeros((0, 3))) == 0.0


def test_far_pixels_are_those_that_moved_enough_between_frames():
    source = open_source("procedural:crowd?seed=3&frames=60&size=64x48")
    slow, fast = (true_motion(source, 20, seconds) for seconds in (0.0, 1.0))
    assert not slow.far.any() and fast.far.sum() > 0.5 * fast.moving.sum()
