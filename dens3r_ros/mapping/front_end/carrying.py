# SPDX-License-Identifier: Apache-2.0
"""Dense maps of a frame that was not decoded: its keyframe's points, carried into its view."""

from __future__ import annotations

import cv2
import numpy as np

from dens3r_ros.mapping.maps import Maps
from dens3r_ros.mapping.reference import Reference
from dens3r_ros.mapping.tracking.agreement import swing
from dens3r_ros.mapping.tracking.cameras import camera_rays
from dens3r_ros.mapping.tracking.fusion import Canonical, carried
from dens3r_ros.mapping.tracking.observation import ViewMaps

_AGEING_S = 5.0
"""Seconds after which what a decoding told counts half."""
_WEARING = 0.2
"""Radians by which the view has swung when it counts half."""
_ENOUGH = 5
"""Known neighbours, of eight, from which on a pixel between them is filled."""
_JUMP = 0.05
"""Relative difference of their depths beyond which it is not."""


def carried_maps(
    reference: Reference, T_keyframe_frame: np.ndarray, stamp: int, unit: float
) -> Maps:
    """What the keyframe knows, as a frame with a place and a stamp (ns) sees it; `unit` is the
    length of the keyframe's unit in `odom`."""
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
    )


def _carried(reference: Reference, T_frame_keyframe: np.ndarray, share: float) -> ViewMaps:
    """Confidence is 1 where the keyframe saw nothing."""
    surface = Canonical(reference.surface.points, reference.surface.confidence - 1)
    points, weight = carried(surface, T_frame_keyframe, reference.sight.camera, share)
    _close(points, weight)
    return ViewMaps(points, 1 + weight)


def _close(points: np.ndarray, weight: np.ndarray) -> None:
    """Fill single pixels between known ones of like depth."""
    known = (weight > 0).astype(np.float32)
    around = cv2.boxFilter(known, -1, (3, 3), normalize=False)
    depth = points[..., 2]
    far = cv2.dilate(depth, np.ones((3, 3), np.uint8))
    near = cv2.erode(np.where(weight > 0, depth, np.float32(np.inf)), np.ones((3, 3), np.uint8))
    holes = (weight <= 0) & (around >= _ENOUGH) & (far - near < _JUMP * far)
    total = cv2.boxFilter(points, -1, (3, 3), normalize=False)
    points[holes] = total[holes] / around[holes][:, None]
    mean = cv2.boxFilter(weight, -1, (3, 3), normalize=False)
    weight[holes] = mean[holes] / around[holes]
