# SPDX-License-Identifier: Apache-2.0
"""Inverse depth of one view of a pair: measured where it can be, filled in where it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dens3r_ros.engines.geometric.doubt import Seen, motion_doubt
from dens3r_ros.engines.geometric.smoothing.edge_aware import EdgeAwareFilter
from dens3r_ros.engines.geometric.smoothing.local_planes import LocalPlanes, local_planes
from dens3r_ros.geometry.two_views.flow import landing
from dens3r_ros.geometry.two_views.triangulation import Triangulated, landing_of, triangulate

_FLOW_SIGMA = 0.35
_RETURN_SHARE = 0.7
_EPIPOLAR_SHARE = 0.5
_DOUBTFUL_PIXELS = 1.5
_OWN_SHARE = 0.2
_SPARED = 2.0
"""How much less the usual depth says of what is told to lie far from it: else what is near would
come out too far, by the more the nearer it is, and a camera that drives on would shrink its map."""
_NEAREST = 5.0
_FARTHEST = 0.05
_LEAST = 1e-4


@dataclass(frozen=True, eq=False)
class InverseDepth:
    """(H, W) float32: inverse depth in baselines, above zero, and its standard deviation."""

    value: np.ndarray
    sigma: np.ndarray
    planes: LocalPlanes


def inverse_depth(
    flow: np.ndarray,
    return_error: np.ndarray,
    seen: Seen,
    nearby: Sequence[Seen],
    smoothing: EdgeAwareFilter,
    hidden: np.ndarray | None = None,
) -> InverseDepth:
    """What the flow to the other view, its return error and the relative pose say of depth.

    seen: this view and the other; nearby: motions one standard deviation away; hidden (H, W) bool:
    pixels whose flow tells nothing of it.
    """
    value, weight, planes, usual = _measured(flow, return_error, seen, smoothing, hidden)
    size = value.shape[::-1]
    filled, variance = cv2.resize(planes.value, size), cv2.resize(planes.variance, size)
    own = _OWN_SHARE * weight
    known = own + 1 / variance
    told = (own * value + filled / variance) / known
    unknown = 1 / (usual**2 + _SPARED**2 * (told - usual) ** 2)
    total = known + unknown
    combined = (known * told + unknown * usual) / total
    value = np.maximum(combined, _FARTHEST * usual)
    doubt = motion_doubt(value, seen, nearby) * value
    return InverseDepth(value, np.sqrt(1 / total + doubt**2), planes)


def planes_flow(
    flow: np.ndarray, return_error: np.ndarray, seen: Seen, smoothing: EdgeAwareFilter
) -> np.ndarray:
    """(h, w, 2) float32 offsets, at the filter's size, to where planes alone put the pixels in the
    other view."""
    (K, K_other), T_other_view = seen
    _, _, planes, usual = _measured(flow, return_error, seen, smoothing)
    value = np.maximum(planes.value, _FARTHEST * usual)
    (rows, columns), K_few = _few_pixels(K, return_error.shape, value.shape)
    x, y = landing_of(value, K_few, K_other, T_other_view)
    return cv2.merge([x - columns, y - rows[:, None]])


def _measured(
    flow: np.ndarray,
    return_error: np.ndarray,
    seen: Seen,
    smoothing: EdgeAwareFilter,
    hidden: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, LocalPlanes, float]:
    """Inverse depth (H, W) as the flow tells it, its weight, planes through it, and the usual."""
    cameras, T_other_view = seen
    x, y = cv2.split(landing(flow))
    measured = triangulate(x, y, *cameras, T_other_view)
    weight = _weight(measured, return_error)
    if hidden is not None:
        weight = np.where(hidden, np.float32(0), weight)
    value = np.where(weight > 0, measured.inverse_depth, 0)
    planes = local_planes(value, weight, smoothing)
    return value, weight, planes, max(float(np.median(planes.value)), _LEAST)


def _few_pixels(
    K: np.ndarray, size: tuple[int, ...], few: tuple[int, ...]
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Of an image of (height, width) rows and columns for a map of `few` pixels, float32, and the
    camera matrix of that."""
    steps = [whole / part for whole, part in zip(size, few, strict=True)]
    rows, columns = (
        ((np.arange(part) + 0.5) * step - 0.5).astype(np.float32)
        for part, step in zip(few, steps, strict=True)
    )
    shrunk = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]]) / [[steps[1]], [steps[0]], [1]]
    shrunk[:2, 2] -= 0.5
    return (rows, columns), shrunk @ K


def unknown_depth(size: tuple[int, int]) -> InverseDepth:
    """A wall one baseline away, known not at all."""
    ones, zeros = np.ones(size, np.float32), np.zeros(size, np.float32)
    unknown = np.full(size, np.inf, np.float32)
    return InverseDepth(ones, unknown, LocalPlanes(ones, unknown, zeros, zeros))


def _weight(measured: Triangulated, return_error: np.ndarray) -> np.ndarray:
    """One over the variance of each measured inverse depth, zero where it is impossible."""
    returned, epipolar = return_error**2, measured.epipolar**2
    doubt = (returned + epipolar) / _DOUBTFUL_PIXELS**2
    pixel_variance = (
        _FLOW_SIGMA**2 + _RETURN_SHARE**2 * returned + _EPIPOLAR_SHARE**2 * epipolar
    ) * (1 + doubt**2)
    possible = (measured.inverse_depth > 0) & (measured.inverse_depth < _NEAREST)
    return np.where(possible, measured.pixels_per_unit**2 / pixel_variance, 0)
