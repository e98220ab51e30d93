# SPDX-License-Identifier: Apache-2.0
"""Metres for views of a scene: their depth brought to that of a metric network for one image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dens3r_ros.network.monocular.depth_anything import DepthPrediction, metres
from dens3r_ros.network.monocular.sky import FILLED_FROM, far_depth, middle
from dens3r_ros.network.multiview.prediction import ViewsPrediction

_FARTHEST_SKY = 200.0
_LEAST_METRES, _LEAST_DEPTH = 1e-2, 1e-3


@dataclass(frozen=True, eq=False)
class MetricViews:
    """A scene in metres, and the factor () that its unit was multiplied by."""

    views: ViewsPrediction
    scale: Tensor


def in_metres(views: ViewsPrediction, metric: DepthPrediction) -> MetricViews:
    """Depth, cameras' positions and points of one scene in metres.

    `views` has depth, confidence and cameras of one scene (B = 1); `metric` is what a metric
    network gives for the same S images. The scale is fitted where the scene's own confidence is at
    least its median and there is no sky. Sky is put behind everything else, with no confidence.
    """
    depth, confidence, T_world_camera = _of_one_scene(views)
    focal = _focal(views)
    is_ground = metric.sky < FILLED_FROM
    true = metres(metric.depth_raw, focal)
    sure = confidence >= middle(confidence[is_ground]) if is_ground.any() else is_ground
    used = sure & is_ground & (true > _LEAST_METRES) & (depth > _LEAST_DEPTH)
    if not used.any():
        raise ValueError("no pixel tells the scale: all of them are sky, or of no confidence")
    scale = (true[used] * depth[used]).sum() / depth[used].square().sum()
    scaled = depth * scale
    sky_depth = far_depth(scaled[is_ground]).clamp(max=_FARTHEST_SKY)
    moved = T_world_camera.clone()
    moved[..., :3, 3] *= scale
    found = replace(
        views,
        depth=torch.where(is_ground, scaled, sky_depth)[None],
        confidence=torch.where(is_ground, confidence, torch.ones_like(confidence))[None],
        T_world_camera=moved[None],
        points=None if views.points is None else views.points * scale,
    )
    return MetricViews(found, scale)


def _of_one_scene(views: ViewsPrediction) -> tuple[Tensor, Tensor, Tensor]:
    given = views.depth, views.confidence, views.T_world_camera
    if any(value is None for value in given) or len(views.depth) != 1:  # type: ignore[arg-type]
        raise ValueError("depth, confidence and cameras of one scene are needed")
    depth, confidence, T_world_camera = (value[0] for value in given if value is not None)
    return depth, confidence, T_world_camera


def _focal(views: ViewsPrediction) -> Tensor:
    if views.intrinsics is None:
        raise ValueError("intrinsics are needed")
    return (views.intrinsics[0, :, 0, 0] + views.intrinsics[0, :, 1, 1]) / 2
