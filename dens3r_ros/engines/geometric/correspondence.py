# SPDX-License-Identifier: Apache-2.0
"""Correspondence of two images: keypoints first, then flow that starts from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.engines.geometric.features import ImageFeatures, matched_keypoints
from dens3r_ros.geometry.flow import TwoWayFlow, flow_from_tracks, likeness, two_way_flow
from dens3r_ros.geometry.two_view import Cameras, Pose, consistent_tracks

_CELL = 8
_LEAST_CORNER = 1e-5
_RETURN_PIXELS = 0.7
_ALIKE = 0.6
_LEAST_TRACKS = 12
_MANY_TRACKS = 60
_FINE_SIDE = 400
_POOR_AGREEMENT = 0.2


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


def correspond(a: ImageFeatures, b: ImageFeatures, cameras: Cameras | None) -> Correspondence:
    """Flow from the matched keypoints on, or from rest where these are too few or mislead."""
    matched_a, matched_b = matched_keypoints(a, b)
    agreed, pose = consistent_tracks(matched_a, matched_b, cameras)
    keypoints_a, keypoints_b = matched_a[agreed], matched_b[agreed]
    finest = int(max(a.grey.shape) <= _FINE_SIDE)
    flow = None
    if len(keypoints_a) >= _LEAST_TRACKS:
        size = a.grey.shape
        there = flow_from_tracks(keypoints_a, keypoints_b, size)
        back = flow_from_tracks(keypoints_b, keypoints_a, size)
        flow = two_way_flow(a.grey, b.grey, (there, back), finest)
    if flow is None or flow.agreement < _POOR_AGREEMENT:
        from_rest = two_way_flow(a.grey, b.grey, None, finest)
        flow = max(filter(None, (flow, from_rest)), key=lambda found: found.agreement)
    alike = likeness(a.grey, b.grey, flow.forward)
    samples_a, samples_b = _samples(flow, np.where(alike > _ALIKE, a.corners, 0))
    pixels_a = np.concatenate([samples_a, keypoints_a])
    pixels_b = np.concatenate([samples_b, keypoints_b])
    sure = pose if len(keypoints_a) >= _MANY_TRACKS else None
    return Correspondence(flow, pixels_a, pixels_b, len(keypoints_a), sure)


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
