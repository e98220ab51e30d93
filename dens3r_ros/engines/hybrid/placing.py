# SPDX-License-Identifier: Apache-2.0
"""Where two views stand when there is no parallax to tell: from the network's points of one."""

from __future__ import annotations

import numpy as np
import poselib

from dens3r_ros.engines.hybrid.alone import Alone
from dens3r_ros.geometry.flow import TwoWayFlow, landing
from dens3r_ros.geometry.two_view import Cameras

_STEP = 8
_RETURN_PIXELS = 1.0
_MISS_PIXELS = 3.0
_LEAST_POINTS = 40
_LEAST_SHARE = 0.4
_SEARCH: dict = {
    "max_reproj_error": _MISS_PIXELS,
    "seed": 0,
    "max_iterations": 1000,
    "min_iterations": 50,
}
_REFINED = {"loss_type": "CAUCHY", "loss_scale": 1.0, "max_iterations": 50}


def place(flow: TwoWayFlow, alone_b: Alone, cameras: Cameras) -> np.ndarray | None:
    """T_a_b (4, 4), rigid, in the unit of b's network; None where few points agree on one."""
    K_a, K_b = cameras
    few = np.s_[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP]
    good = (flow.backward_error[few] < _RETURN_PIXELS) & np.isfinite(alone_b.error[few])
    if good.sum() < _LEAST_POINTS:
        return None
    y, x = np.nonzero(good)
    y, x = y * _STEP + _STEP // 2, x * _STEP + _STEP // 2
    rays = np.column_stack([x, y, np.ones(len(x))]) @ np.linalg.inv(K_b).T
    points = rays / alone_b.inverse[y, x][:, None].astype(np.float64)
    pixels = landing(flow.backward)[y, x].astype(np.float64)
    found, told = poselib.estimate_absolute_pose(
        pixels, points, _camera(K_a, flow), _SEARCH, _REFINED
    )
    inliers = np.array(told["inliers"])
    T_a_b = np.eye(4)
    T_a_b[:3] = found.Rt
    if not inliers.size or inliers.mean() < _LEAST_SHARE or not np.isfinite(T_a_b).all():
        return None
    return T_a_b


def relative_unit(
    flow: TwoWayFlow, alone_a: Alone, inverse_b: np.ndarray, cameras: Cameras, T_a_b: np.ndarray
) -> float | None:
    """Length of the unit of a's network in that of b, from pixels that both see."""
    _, K_b = cameras
    few = np.s_[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP]
    y, x = np.nonzero(flow.backward_error[few] < _RETURN_PIXELS)
    y, x = y * _STEP + _STEP // 2, x * _STEP + _STEP // 2
    at = np.rint(landing(flow.backward)[y, x]).astype(int)
    height, width = alone_a.inverse.shape
    at = at.clip(0, (width - 1, height - 1))
    rays = np.column_stack([x, y, np.ones(len(x))]) @ np.linalg.inv(K_b).T
    depth = (rays / inverse_b[y, x][:, None]) @ T_a_b[2, :3] + T_a_b[2, 3]
    known = (depth > 0) & np.isfinite(alone_a.error[at[:, 1], at[:, 0]])
    if known.sum() < _LEAST_POINTS:
        return None
    ratios = depth[known] * alone_a.inverse[at[:, 1], at[:, 0]][known]
    return float(np.exp(np.median(np.log(ratios))))


def _camera(K: np.ndarray, flow: TwoWayFlow) -> dict:
    height, width = flow.backward_error.shape
    parameters = [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]
    return {"model": "PINHOLE", "width": width, "height": height, "params": parameters}
