# SPDX-License-Identifier: Apache-2.0
"""If these fail, people who left stay in the map as ghosts, or walls lose their points."""

from __future__ import annotations

import numpy as np
import pytest

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.mapping.motion.look import ViewedSurface
from dens3r_ros.mapping.motion.seen_through import PoseDoubt, looking, seen_through

LENS = Intrinsics(260.0, 260.0, 159.5, 119.5, 320, 240)
SURE = PoseDoubt()


def shifted(x: float = 0.0, z: float = 0.0) -> np.ndarray:
    T = np.eye(4)
    T[0, 3], T[2, 3] = x, z
    return T


def surface(
    T_world_camera: np.ndarray, board: bool, noise: float = 0.0, weight: float = 8.0
) -> ViewedSurface:
    """A wall 4 m away, and in front of it, 2 m away, a board of 0.8 m by 1 m."""
    rays, T = pixel_rays(LENS).numpy(), T_world_camera
    depth = (4.0 - T[2, 3]) * np.ones(rays.shape[:2])
    at = T[:3, 3] + rays * (2.0 - T[2, 3])
    hit = board & (np.abs(at[..., 0]) < 0.4) & (np.abs(at[..., 1]) < 0.5)
    depth = np.where(hit, 2.0 - T[2, 3], depth)
    if noise:
        depth = depth * np.exp(np.random.default_rng(3).normal(0, noise, depth.shape))
    points = (rays * depth[..., None]).astype(np.float32)
    return ViewedSurface(points, np.full(depth.shape, weight, np.float32))


def told(
    before: ViewedSurface, after: ViewedSurface, T: np.ndarray, doubt: PoseDoubt = SURE
) -> np.ndarray | None:
    """What of `before`, seen from the origin, a view at T sees through."""
    through = seen_through(before, LENS, np.linalg.inv(T), doubt, looking(after, LENS))
    return None if through is None else through.gone


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize("T", [np.eye(4), shifted(0.3, 0.2), shifted(-0.4, -0.5)])
def test_what_is_there_no_more_is_seen_through_and_nothing_else(T, noise: float) -> None:
    before, after = surface(np.eye(4), True, noise), surface(T, False, noise)
    gone = told(before, after, T)
    assert gone is not None and gone.shape == before.weight.shape
    board = before.points[..., 2] < 3
    assert gone[board].mean() > 0.9
    assert not gone[~board].any()


@pytest.mark.parametrize("board", [True, False])
def test_what_stands_still_is_not_seen_through(board: bool) -> None:
    for T in (np.eye(4), shifted(0.3, 0.2), shifted(-0.2, 0.6)):
        before, after = surface(np.eye(4), board, 0.03), surface(T, board, 0.03)
        gone = told(before, after, T)
        assert gone is not None and gone.mean() < 0.001


def test_what_came_later_hides_and_is_not_seen_through() -> None:
    gone = told(surface(np.eye(4), False), surface(shifted(0.2), True), shifted(0.2))
    assert gone is not None and not gone.any()


def test_depth_of_no_confidence_sees_through_nothing() -> None:
    T = shifted(0.2)
    doubtful = surface(T, False, weight=0.3)
    gone = told(surface(np.eye(4), True), doubtful, T)
    assert gone is None or not gone.any()


def test_a_pose_that_may_be_wrong_is_not_believed() -> None:
    T, before, after = shifted(0.2), surface(np.eye(4), True), surface(shifted(0.2), False)
    assert told(before, after, T, PoseDoubt(turn=0.1)) is None
    assert told(before, after, T, PoseDoubt(shift=0.5)) is None
    unsure = told(before, after, T, PoseDoubt(unit=0.3))
    assert unsure is None or not unsure.any()


def test_views_that_agree_nowhere_tell_nothing() -> None:
    """A unit twice as long puts every wall behind where it was."""
    before, after = surface(np.eye(4), False), surface(np.eye(4), False)
    S = np.diag([0.5, 0.5, 0.5, 1.0])
    assert seen_through(before, LENS, S, SURE, looking(after, LENS)) is None


def test_what_is_seen_where_it_is_confirms_it() -> None:
    """And somebody who left is not confirmed by the wall that is seen behind."""
    T, before, after = shifted(0.2), surface(np.eye(4), True), surface(shifted(0.2), False)
    through = seen_through(before, LENS, np.linalg.inv(T), SURE, looking(after, LENS))
    assert through is not None
    board = before.points[..., 2] < 3
    assert not through.same[board].any()
    assert through.same[~board].mean() > 0.5
