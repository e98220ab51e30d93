# SPDX-License-Identifier: Apache-2.0
"""If these fail, walls are drawn several times, one behind the other, or what is there is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dens3r_ros.splats.blending import blended
from dens3r_ros.splats.from_views import splats_of_views
from dens3r_ros.splats.view import PhotoView


@pytest.fixture(scope="module")
def room(walk) -> list[PhotoView]:
    found = []
    for index in range(0, 12, 2):
        frame, truth = walk[index], walk.truth(index)
        found.append(PhotoView(frame.image, frame.intrinsics, truth.T_world_camera, truth.depth))
    return found


def noisy(views: list[PhotoView], spread: float) -> list[PhotoView]:
    random = np.random.default_rng(2)
    scales = np.exp(random.normal(0, spread, len(views)))
    return [
        replace(view, depth=(view.depth * scale).astype(np.float32))
        for view, scale in zip(views, scales, strict=True)
    ]


def off(views: list[PhotoView], truth: list[PhotoView]) -> float:
    """How far depths are from the truth, relative to that."""
    errors = [np.abs(a.depth / b.depth - 1)[a.depth > 0] for a, b in zip(views, truth, strict=True)]
    return float(np.mean(np.concatenate(errors)))


def test_exact_depth_stays_as_it_is(room: list[PhotoView]) -> None:
    after = list(blended(room))
    assert off(after, room) < 0.002
    assert np.mean([view.depth > 0 for view in after]) > 0.995


def test_depths_that_err_come_nearer_to_each_other(room: list[PhotoView]) -> None:
    before = noisy(room, 0.01)
    after = list(blended(before))
    assert off(after, room) < 0.7 * off(before, room)


def test_what_two_views_see_through_is_left_out(room: list[PhotoView]) -> None:
    depth = room[0].depth.copy()
    depth[40:60, 60:100] *= 0.5
    after = next(blended([replace(room[0], depth=depth), *room[1:]]))
    assert (after.depth[42:58, 62:98] == 0).mean() > 0.8
    outside = np.ones(depth.shape, bool)
    outside[38:62, 58:102] = False
    assert (after.depth[outside] > 0).mean() > 0.99


def test_a_surer_depth_counts_more(room: list[PhotoView]) -> None:
    wrong = replace(room[1], depth=1.02 * room[1].depth)
    pairs = [
        [
            replace(room[0], confidence=np.full_like(room[0].depth, a)),
            replace(wrong, confidence=np.full_like(wrong.depth, b)),
        ]
        for a, b in ((10, 2), (2, 10))
    ]
    errors = [off([next(blended(pair))], room[:1]) for pair in pairs]
    assert errors[0] < 0.006 < 0.009 < errors[1]


def test_what_moves_in_another_view_tells_nothing(room: list[PhotoView]) -> None:
    everything = np.ones(room[0].depth.shape, bool)
    walker = [replace(view, depth=3 * view.depth, moving=everything) for view in room[1:]]
    after = next(blended([room[0], *walker]))
    np.testing.assert_allclose(after.depth, room[0].depth, rtol=1e-5)


def test_splats_are_fewer_where_views_agree(room: list[PhotoView]) -> None:
    one, several = (len(splats_of_views(views)) for views in (room[:1], [room[0]] * 3))
    assert several < 1.02 * one
