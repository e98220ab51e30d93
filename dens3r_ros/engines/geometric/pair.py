# SPDX-License-Identifier: Apache-2.0
"""The maps of one pair, from features to points, normals and correspondences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from dens3r_ros.engines.geometric.confidence import depth_confidence, pixel_confidence
from dens3r_ros.engines.geometric.correspondence import (
    Correspondence,
    Expected,
    coarser,
    correspond,
    from_flow,
)
from dens3r_ros.engines.geometric.depth import InverseDepth, inverse_depth, unknown_depth
from dens3r_ros.engines.geometric.doubt import Seen
from dens3r_ros.engines.geometric.epipolar import strayed
from dens3r_ros.engines.geometric.features import ImageFeatures
from dens3r_ros.engines.geometric.motion import motion_between
from dens3r_ros.engines.geometric.moving import NOTHING, Moving
from dens3r_ros.engines.geometric.surer.second_look import as_expected, where_to_look
from dens3r_ros.engines.geometric.surer.sharp import surest_motion
from dens3r_ros.engines.geometric.view import view_normals, view_points
from dens3r_ros.engines.protocol import Outputs
from dens3r_ros.geometry.two_views.flow import TwoWayFlow, landing
from dens3r_ros.geometry.two_views.two_view import Cameras, Pose, TwoView
from dens3r_ros.geometry.two_views.two_view_focal import assumed_cameras
from dens3r_ros.geometry.two_views.two_view_search import Likeliest

_FLOW_SIGMA = 0.5
_MORE_LOOKS = 2


@dataclass(frozen=True, eq=False)
class PairMaps:
    """One pair's part of a `PairPrediction`, float32, without the batch."""

    points_a: np.ndarray | None
    points_b: np.ndarray | None
    confidence_a: np.ndarray | None
    confidence_b: np.ndarray | None
    normals_a: np.ndarray | None
    normals_b: np.ndarray | None
    pixels_b_in_a: np.ndarray
    pixels_confidence: np.ndarray


def pair_maps(
    a: ImageFeatures,
    b: ImageFeatures,
    cameras: Cameras | None,
    outputs: Outputs,
    moving: Moving = NOTHING,
    expected: Expected | None = None,
    near: Pose | None = None,
) -> PairMaps:
    """Everything that is asked for of a pair, and its correspondences; what is known to move has no
    part in it, and what is `expected` to correspond is where they are begun to be looked for, what
    contradicts an expected pose of a in b, `near`, has no say in the motion."""
    size = a.grey.shape
    found, likeliest = _motion_of(a, b, cameras, moving, expected, near)
    if cameras is not None:
        likeliest = surest_motion((a, b), found, likeliest, cameras, moving, near)
    motion = likeliest.view if likeliest else None
    K_a, K_b = (motion.K_a, motion.K_b) if motion else cameras or assumed_cameras(size)
    T_a_b = np.linalg.inv(motion.T_b_a) if motion else np.eye(4)
    depth_a = depth_b = unknown_depth(size)
    if likeliest and "a" in outputs.points + outputs.normals:
        depth_a = depth_of_a(a, found.flow, likeliest, moving)
    if likeliest and "b" in outputs.points + outputs.normals:
        depth_b = depth_of_b(b, found.flow, likeliest, moving)
    pixels_b_in_a, pixels_confidence = correspondences(found.flow, likeliest)
    if moving.known:
        gone = moving.swapped.of_a(pixels_b_in_a)
        pixels_confidence = np.where(gone, np.float32(1), pixels_confidence)
    return PairMaps(
        points_a=view_points(depth_a.value, K_a, np.eye(4)) if "a" in outputs.points else None,
        points_b=view_points(depth_b.value, K_b, T_a_b) if "b" in outputs.points else None,
        confidence_a=_confidence(depth_a) if "a" in outputs.points else None,
        confidence_b=_confidence(depth_b) if "b" in outputs.points else None,
        normals_a=view_normals(depth_a.planes, K_a, size) if "a" in outputs.normals else None,
        normals_b=view_normals(depth_b.planes, K_b, size) if "b" in outputs.normals else None,
        pixels_b_in_a=pixels_b_in_a,
        pixels_confidence=pixels_confidence,
    )


def _motion_of(
    a: ImageFeatures,
    b: ImageFeatures,
    cameras: Cameras | None,
    moving: Moving,
    expected: Expected | None,
    near: Pose | None,
) -> tuple[Correspondence, Likeliest | None]:
    """Correspondences and the motion that they tell, if any, both by a second look, and a third
    where that finds much elsewhere than expected; not where something is known to move, which
    would be followed all the better by it."""
    once = near is not None or moving.anything
    look = partial(correspond, a, b, cameras, moving, expected, near=near)
    found = look(rough=not once)
    likeliest = motion_between(found, cameras, a.grey.shape)
    if once:
        return found, likeliest
    if likeliest is None:
        # Nothing leads a second look: let the only one be fine.
        if not coarser(a):
            return found, None
        found = look()
        return found, motion_between(found, cameras, a.grey.shape)
    for _ in range(_MORE_LOOKS):
        start = where_to_look(a, b, found.flow, _both_ways(likeliest.view))
        again = from_flow(a, b, start, found)
        surer = motion_between(again, cameras, a.grey.shape)
        if surer is None:
            break
        found, likeliest = again, surer
        if as_expected(found.flow, start):
            break
    return found, likeliest


def _both_ways(view: TwoView) -> tuple[Seen, Seen]:
    """The motion as seen from a, and from b."""
    there = (view.K_a, view.K_b), view.T_b_a
    return there, ((view.K_b, view.K_a), np.linalg.inv(view.T_b_a))


def depth_of_a(
    a: ImageFeatures, flow: TwoWayFlow, motion: Likeliest, moving: Moving = NOTHING
) -> InverseDepth:
    """Of a, in baselines."""
    seen, *nearby = (_both_ways(view)[0] for view in (motion.view, *motion.nearby))
    hidden = moving.of_a(landing(flow.forward)) if moving.known else None
    return inverse_depth(flow.forward, flow.forward_error, seen, nearby, a.smoothing, hidden)


def depth_of_b(
    b: ImageFeatures, flow: TwoWayFlow, motion: Likeliest, moving: Moving = NOTHING
) -> InverseDepth:
    """Of b, in baselines."""
    seen, *nearby = (_both_ways(view)[1] for view in (motion.view, *motion.nearby))
    hidden = moving.swapped.of_a(landing(flow.backward)) if moving.known else None
    return inverse_depth(flow.backward, flow.backward_error, seen, nearby, b.smoothing, hidden)


def _confidence(depth: InverseDepth) -> np.ndarray:
    return depth_confidence(depth.sigma / depth.value)


def correspondences(
    flow: TwoWayFlow, motion: Likeliest | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Where b's pixels lie in a, and the confidence of that; where the motion is known, what has
    strayed from its epipolar line is not believed, however well it comes back to itself."""
    landed = landing(flow.backward)
    error = np.hypot(_FLOW_SIGMA, flow.backward_error)
    if motion is not None:
        error = np.hypot(error, strayed(landed, motion))
    return landed, pixel_confidence(error)
