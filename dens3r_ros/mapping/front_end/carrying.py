# SPDX-License-Identifier: Apache-2.0
"""Dense maps of a frame that was not decoded: its keyframe's points, carried into its view."""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.mapping.maps import Maps
from dens3r_ros.mapping.reference import Reference
from dens3r_ros.mapping.tracking.agreement import swing
from dens3r_ros.mapping.tracking.cameras import camera_rays
from dens3r_ros.mapping.tracking.depth.fusion import Canonical, carried
from dens3r_ros.mapping.tracking.observation import ViewMaps

_AGEING_S = 5.0
"""Seconds after which what a decoding told counts half."""
_WEARING = 0.2
"""Radians by which the view has swung when it counts half."""
_JUMP = 0.05
"""Relative difference of its neighbours' depths beyond which a pixel between them is not filled."""
_HALF = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Rows and columns to one of two neighbours on opposite sides."""


def carried_maps(
    reference: Reference,
    T_keyframe_frame: np.ndarray,
    stamp: int,
    unit: float,
    moving: np.ndarray | None = None,
) -> Maps:
    """What the keyframe knows, as a frame with a place and a stamp (ns) sees it; `unit` is the
    length of the keyframe's unit in `odom`; `moving` (h, w): what moves in the frame."""
    T_frame_keyframe = np.linalg.inv(T_keyframe_frame)
    here = np.linalg.inv(reference.T_keyframe_frame)
    age = max(stamp - reference.sight.stamp, 0) * 1e-9 / _AGEING_S
    worn = swing(T_frame_keyframe, here, reference.landmarks.depth) / _WEARING
    share = 1 / (1 + age + worn)
    rays = camera_rays(reference.sight.camera) if reference.sight.calibrated else None
    return Maps(
        lambda: _carried(reference, T_frame_keyframe, share),
        unit,
        reference.sight.placement,
        rays,
        apart=True,
        motion=moving,
    )


def _carried(reference: Reference, T_frame_keyframe: np.ndarray, share: float) -> ViewMaps:
    """Confidence is 1 where the keyframe saw nothing."""
    surface = Canonical(reference.surface.points, reference.surface.confidence - 1)
    points, weight = carried(surface, T_frame_keyframe, reference.sight.camera, share)
    _close(points, weight)
    return ViewMaps(points, 1 + weight)


def _close(points: np.ndarray, weight: np.ndarray) -> None:
    """Fill pixels between known ones of like depth: where the view has come nearer, points lie
    apart. A second time for what lies where two such rows cross."""
    for _ in range(2):
        known = (weight > 0).astype(np.float32)
        holes = (known == 0) & _between(known > 0, points[..., 2])
        around = cv2.boxFilter(known, -1, (3, 3), normalize=False)[holes]
        total = cv2.boxFilter(points, -1, (3, 3), normalize=False)
        mean = cv2.boxFilter(weight, -1, (3, 3), normalize=False)
        points[holes] = total[holes] / around[:, None]
        weight[holes] = mean[holes] / around


def _between(known: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels whose known neighbours are of like depth, two of them on opposite
    sides, so that what is seen never grows beyond its rim."""
    height, width = known.shape
    rim = np.pad(known, 1)
    sides = np.zeros_like(known)
    for v, u in _HALF:
        one = rim[1 + v : 1 + v + height, 1 + u : 1 + u + width]
        other = rim[1 - v : 1 - v + height, 1 - u : 1 - u + width]
        sides |= one & other
    around = np.ones((3, 3), np.uint8)
    far = cv2.dilate(depth, around)
    near = cv2.erode(np.where(known, depth, np.float32(np.inf)), around)
    return sides & (far - near < _JUMP * far)
