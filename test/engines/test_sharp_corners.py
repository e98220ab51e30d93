# SPDX-License-Identifier: Apache-2.0
"""If these fail, people who bend the flow between two views turn the camera with them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from dens3r_ros.engines.geometric.correspondence import correspond
from dens3r_ros.engines.geometric.features import ImageFeatures, image_features
from dens3r_ros.engines.geometric.motion import motion_between
from dens3r_ros.engines.geometric.moving import NOTHING
from dens3r_ros.engines.geometric.surer.sharp import surest_motion
from dens3r_ros.geometry.two_views.two_view import Cameras
from dens3r_ros.geometry.two_views.two_view_search import Likeliest
from dens3r_ros.sources.opening import open_source


def _views() -> tuple[tuple[ImageFeatures, ImageFeatures], Cameras]:
    walk = open_source("procedural:walk?seed=71&frames=200&size=320x240")
    a, b = walk[10], walk[26]
    assert a.intrinsics is not None and b.intrinsics is not None
    views = image_features(a.image), image_features(b.image)
    return views, (a.intrinsics.K, b.intrinsics.K)


def _bent(motion: Likeliest, degrees: float) -> Likeliest:
    T = motion.view.T_b_a.copy()
    T[:3] = cv2.Rodrigues(np.radians([0.3 * degrees, degrees, 0.2 * degrees]))[0] @ T[:3]
    return replace(motion, view=replace(motion.view, T_b_a=T))


def test_a_bent_motion_is_put_right_and_a_right_one_stays() -> None:
    views, cameras = _views()
    found = correspond(*views, cameras)
    right = motion_between(found, cameras, (240, 320))
    assert right is not None
    for told in (right, _bent(right, 4.0)):
        surest = surest_motion(views, found, told, cameras, NOTHING, None)
        assert surest is not None
        between = surest.view.T_b_a[:3, :3] @ right.view.T_b_a[:3, :3].T
        assert np.degrees(np.linalg.norm(cv2.Rodrigues(between)[0])) < 0.5


def test_an_image_without_corners_has_no_say() -> None:
    views, cameras = _views()
    found = correspond(*views, cameras)
    bent = motion_between(found, cameras, (240, 320))
    blank = image_features(np.full((240, 320, 3), 90, np.uint8)), views[1]
    assert surest_motion(blank, found, bent, cameras, NOTHING, None) is bent
