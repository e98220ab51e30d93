# SPDX-License-Identifier: Apache-2.0
"""Correspondence of two images: keypoints first, then flow that starts from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.engines.geometric.features import ImageFeatures
from dens3r_ros.engines.geometric.keypoints import Keypoints, matched
from dens3r_ros.engines.geometric.moving import NOTHING, Moving, near_tracks
from dens3r_ros.geometry.two_views.flow import (
    TwoWayFlow,
    flow_from_tracks,
    landing,
    likeness,
    two_way_flow,
)
from dens3r_ros.geometry.two_views.shifting import flow_from_shift
from dens3r_ros.geometry.two_views.two_view import Cameras, Pose, consistent_tracks

_CELL = 8
_LEAST_CORNER = 1e-5
_RETURN_PIXELS = 0.7
_ALIKE = 0.6
_LEAST_TRACKS = 12
_MANY_TRACKS = 70
_COARSE_PIXELS = 2.0
_FINE_SIDE = 400
_ROUGH = 1
"""Power of two by which the finest level is reduced that begins a second look."""
_POOR_AGREEMENT = 0.2
_GOOD_AGREEMENT = 0.45
"""Share of pixels that come back to themselves with which quick keypoints suffice."""

Expected = tuple[np.ndarray, np.ndarray]
"""(N, 2) pixels of a and of b that may show the same."""


@dataclass(frozen=True, eq=False)
class Correspondence:
    """Dense flow, and the (N, 2) pixels of tracks: its most reliable, and then the keypoints.

    `pose` is the one that the keypoints agree on, where they are many and the cameras are known.
    """

    flow: TwoWayFlow
    pixels_a: np.ndarray
    pixels_b: np.ndarray
    keypoints: int
    pose: Pose | None


def correspond(
    a: ImageFeatures,
    b: ImageFeatures,
    cameras: Cameras | None,
    moving: Moving = NOTHING,
    expected: Expected | None = None,
    shifts: bool = False,
    near: Pose | None = None,
    rough: bool = False,
) -> Correspondence:
    """Flow from matched keypoints on, quick ones if they do, and from what is `expected` besides;
    from rest where all are too few or mislead. No track lies on what is known to move.

    `shifts`: then also from the shift of the whole image, for those who can tell whether that led
    to another tile of a wall. `near`: the pose that is expected, with which tracks must agree.
    `rough`: for those who look once more; flow is not as fine then.
    """
    finest = _ROUGH if rough else _finest(a)
    if expected is not None:
        still = moving.still(*expected)
        expected = expected[0][still], expected[1][still]
    quick = _tracks(a.quick, b.quick, cameras, moving, near)
    flow = _flow_from(quick, a, b, moving, expected, _MANY_TRACKS, finest)
    if flow is not None and flow.agreement >= _GOOD_AGREEMENT:
        followed = _followed(quick, flow, moving)
        return _only_near(_correspondence(flow, a, b, followed, moving), near, cameras)
    sturdy = _tracks(a.sturdy, b.sturdy, cameras, moving, near)
    flow = _flow_from(sturdy, a, b, moving, expected, _LEAST_TRACKS, finest)
    if flow is None or flow.agreement < _POOR_AGREEMENT:
        from_rest = two_way_flow(a.grey, b.grey, None, finest, (moving.a, moving.b))
        shifted = flow_from_shift(a.grey, b.grey, finest) if shifts else None
        flow = max(filter(None, (flow, from_rest, shifted)), key=lambda found: found.agreement)
    return _only_near(_correspondence(flow, a, b, sturdy, moving), near, cameras)


def from_flow(
    a: ImageFeatures,
    b: ImageFeatures,
    start: tuple[np.ndarray, np.ndarray],
    before: Correspondence,
) -> Correspondence:
    """Flow from a better start, forwards and backwards, and the keypoints where it takes them."""
    flow = two_way_flow(a.grey, b.grey, start, _finest(a))
    own = len(before.pixels_a) - before.keypoints
    known = _Tracks(before.pixels_a[own:], before.pixels_b[own:], before.pose)
    return _correspondence(flow, a, b, _followed(known, flow, NOTHING), NOTHING)


@dataclass(frozen=True, eq=False)
class _Tracks:
    """(N, 2) pixels of keypoints that agree with one motion, and its pose if it has one."""

    pixels_a: np.ndarray
    pixels_b: np.ndarray
    pose: Pose | None

    def __len__(self) -> int:
        return len(self.pixels_a)


def _only_near(found: Correspondence, near: Pose | None, cameras: Cameras | None) -> Correspondence:
    """Without the tracks that contradict the pose that is expected."""
    agree = near_tracks(found.pixels_a, found.pixels_b, near, cameras)
    if agree is None:
        return found
    keypoints = int(agree[len(agree) - found.keypoints :].sum())
    return Correspondence(found.flow, found.pixels_a[agree], found.pixels_b[agree], keypoints, near)


def _tracks(
    a: Keypoints, b: Keypoints, cameras: Cameras | None, moving: Moving, near: Pose | None
) -> _Tracks:
    pixels_a, pixels_b = matched(a, b)
    if moving.known:
        still = moving.still(pixels_a, pixels_b)
        pixels_a, pixels_b = pixels_a[still], pixels_b[still]
    agree = near_tracks(pixels_a, pixels_b, near, cameras)
    if agree is not None:
        return _Tracks(pixels_a[agree], pixels_b[agree], near)
    agreed, pose = consistent_tracks(pixels_a, pixels_b, cameras)
    return _Tracks(pixels_a[agreed], pixels_b[agreed], pose)


def _flow_from(
    tracks: _Tracks,
    a: ImageFeatures,
    b: ImageFeatures,
    moving: Moving,
    expected: Expected | None,
    least: int,
    finest: int,
) -> TwoWayFlow | None:
    """Flow that begins along tracks, and along what is expected; None of fewer than so many."""
    size, pixels_a, pixels_b = a.grey.shape, tracks.pixels_a, tracks.pixels_b
    if expected is not None:
        pixels_a = np.concatenate([pixels_a, expected[0]])
        pixels_b = np.concatenate([pixels_b, expected[1]])
    if len(pixels_a) < least:
        return None
    there = flow_from_tracks(pixels_a, pixels_b, size)
    back = flow_from_tracks(pixels_b, pixels_a, size)
    ignored = moving.a, moving.b
    return two_way_flow(a.grey, b.grey, (there, back), finest, ignored)


def coarser(features: ImageFeatures) -> bool:
    """Whether a rough look at an image is less fine than another."""
    return _finest(features) < _ROUGH


def _finest(features: ImageFeatures) -> int:
    return int(max(features.grey.shape) <= _FINE_SIDE and not features.halved)


def _followed(quick: _Tracks, flow: TwoWayFlow, moving: Moving) -> _Tracks:
    """Quick keypoints, coarse as they are, where the flow puts them, if that is not far away."""
    start = np.rint(quick.pixels_a)
    x, y = start.astype(int).T
    end = start + flow.forward[y, x]
    strayed = np.linalg.norm(end - start - (quick.pixels_b - quick.pixels_a), axis=1)
    kept = (strayed < _COARSE_PIXELS) & (flow.forward_error[y, x] < _RETURN_PIXELS)
    kept &= moving.beside.still(start, end)
    return _Tracks(start[kept], end[kept], quick.pose)


def _correspondence(
    flow: TwoWayFlow, a: ImageFeatures, b: ImageFeatures, tracks: _Tracks, moving: Moving
) -> Correspondence:
    usable = likeness(a.grey, b.grey, flow.forward) > _ALIKE
    if moving.known:
        usable &= ~moving.beside.of_a(landing(flow.forward))
    samples_a, samples_b = _samples(flow, np.where(usable, a.corners, 0))
    pixels_a = np.concatenate([samples_a, tracks.pixels_a])
    pixels_b = np.concatenate([samples_b, tracks.pixels_b])
    sure = tracks.pose if len(tracks) >= _MANY_TRACKS else None
    return Correspondence(flow, pixels_a, pixels_b, len(tracks), sure)


def _samples(flow: TwoWayFlow, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each cell of the image the best corner that comes back to itself."""
    worth = np.where(flow.forward_error < _RETURN_PIXELS, corners, 0)
    rows, columns = (side // _CELL for side in worth.shape)
    cells = worth[: rows * _CELL, : columns * _CELL].reshape(rows, _CELL, columns, _CELL)
    cells = cells.transpose(0, 2, 1, 3).reshape(-1, _CELL**2)
    best = cells.argmax(axis=1)
    chosen = np.flatnonzero(cells.max(axis=1) > _LEAST_CORNER)
    y = chosen // columns * _CELL + best[chosen] // _CELL
    x = chosen % columns * _CELL + best[chosen] % _CELL
    pixels = np.column_stack([x, y]).astype(np.float64)
    return pixels, pixels + flow.forward[y, x]
