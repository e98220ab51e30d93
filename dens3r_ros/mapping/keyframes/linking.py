# SPDX-License-Identifier: Apache-2.0
"""Edges between keyframes: measured in both directions, and checked against each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dens3r_ros.geometry import tangents
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.graph.graph import Edge, rigid, scale_of
from dens3r_ros.mapping.tracking.depth.fusion import Canonical
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.matching import (
    inside,
    median,
    project,
    sample_nearest,
    weighted_median,
)
from dens3r_ros.mapping.tracking.observation import Observation
from dens3r_ros.mapping.tracking.track import Track
from dens3r_ros.mapping.tracking.tracker import View, grid_pixels, track, track_again

_FLOOR_SCALE = 0.01
"""Standard deviation of an edge's logarithm of scale: none is surer than this."""
_BELIEVED_SCALE = 0.1
"""The same where no depth is shared."""
_SCALE_STRIDE = 8
_CELLS = 12
"""Number of independent depth errors that a view is taken to hold; a part of it holds fewer."""


@dataclass(frozen=True, eq=False)
class Link:
    """One direction of an edge: keyframe `i`'s points found in keyframe `j`'s image."""

    edge: Edge
    track: Track
    i: Keyframe
    j: Keyframe
    by_pixels: bool


def view_of(keyframe: Keyframe) -> View:
    """The keyframe as the frame that is tracked."""
    return View(keyframe.camera, keyframe.calibrated, keyframe.texture, keyframe.motion)


def link(
    seen: Observation,
    i: Keyframe,
    j: Keyframe,
    S_i_j: np.ndarray | None,
    config: MapperConfig,
    metric: bool,
    loop: bool = False,
) -> Link | str:
    """Measure S_i_j from the prediction of (j, i); a reason where it cannot be.

    `S_i_j` is where j is expected to be, if anywhere.
    """
    start = None if S_i_j is None else rigid(S_i_j)
    found = track(seen, view_of(j), i, start, config.tracking, metric, scaled=not loop)
    if isinstance(found, str):
        return found
    edge = _edge(i, j, found.T_keyframe_frame, found.covariance, metric, loop)
    if isinstance(edge, str):
        return edge
    return Link(edge, found, i, j, seen.pixels is not None)


def tracked_link(found: Track, by_pixels: bool, i: Keyframe, j: Keyframe, metric: bool) -> Link:
    """The link that tracking the frame of keyframe `j` against `i` was; their points share a unit,
    however little is known of their depth."""
    edge = _edge(i, j, found.T_keyframe_frame, found.covariance, metric, False)
    if isinstance(edge, str):
        edge = Edge(i.id, j.id, found.T_keyframe_frame, unsure(found.covariance))
    return Link(edge, found, i, j, by_pixels)


def remeasured(old: Link, matured: Keyframe, config: MapperConfig, metric: bool) -> Link:
    """The link again, now that the points of one of its keyframes are better known; the old one if
    that fails. The points of `j` tell only the scale."""
    found = old.track
    if matured is old.i:
        T, covariance = track_again(found, old.i, old.by_pixels, config.tracking)
        found = replace(found, T_keyframe_frame=T, covariance=covariance)
    elif metric:
        return old
    edge = _edge(old.i, old.j, found.T_keyframe_frame, found.covariance, metric, old.edge.loop)
    return old if isinstance(edge, str) else replace(old, edge=edge, track=found)


def _edge(
    i: Keyframe, j: Keyframe, T_i_j: np.ndarray, covariance: np.ndarray, metric: bool, loop: bool
) -> Edge | str:
    """With the relative scale of both keyframes' points; covariance (7, 7) in j's units."""
    scale, sigma = 1.0, 0.0
    if not metric:
        measured = relative_scale(i.canonical, j.canonical, j.camera, T_i_j)
        if measured is None:
            return f"keyframes {i.id} and {j.id} share no depth"
        scale, sigma = measured
    units = np.array([1 / scale] * 3 + [1.0] * 3)
    whole = np.zeros((7, 7))
    whole[:6, :6] = covariance * units[:, None] * units
    whole[6, 6] = max(sigma, _FLOOR_SCALE) ** 2
    S = T_i_j.copy()
    S[:3, :3] *= scale
    return Edge(i.id, j.id, S, whole, loop)


def unsure(covariance: np.ndarray) -> np.ndarray:
    """(7, 7) covariance of an edge whose scale is only believed."""
    whole = np.zeros((7, 7))
    whole[:6, :6] = covariance
    whole[6, 6] = _BELIEVED_SCALE**2
    return whole


def relative_scale(
    source: Canonical, target: Canonical, camera: Intrinsics, T_source_target: np.ndarray
) -> tuple[float, float] | None:
    """Length of the target's unit in the source's, from points that both have; and the standard
    deviation of its logarithm."""
    x, y = grid_pixels(source.weight.shape, _SCALE_STRIDE).T
    known = source.weight[y, x] > 0.5 * source.folds
    surely_here = source.weight[y, x][known] / source.folds
    T = np.linalg.inv(T_source_target)
    moved = source.points[y, x][known] @ T[:3, :3].T + T[:3, 3]
    pixels = project(moved, camera)
    seen = inside(pixels, target.weight.shape)
    moved, pixels, surely_here = moved[seen], pixels[seen], surely_here[seen]
    surely_there = sample_nearest(target.weight, pixels) / target.folds
    sure = surely_there > 0.5
    weights = 1 / (1 / surely_here[sure] + 1 / surely_there[sure])
    there = np.linalg.norm(sample_nearest(target.points, pixels[sure]), axis=1)
    ratios = np.log(np.linalg.norm(moved[sure], axis=1) / there.clip(1e-9))
    if not len(ratios):
        return None
    near = np.abs(ratios - median(ratios)) < 0.3
    ratios, weights = ratios[near], weights[near]
    if len(ratios) < 20:
        return None
    middle = weighted_median(ratios, weights)
    spread = 1.4826 * weighted_median(np.abs(ratios - middle), weights)
    cells = max(_CELLS * len(ratios) / x.size, 1.0)
    return float(np.exp(middle)), spread / np.sqrt(cells)


def agree(forth: Link, back: Link, depth: float) -> bool:
    """Whether both directions tell the same motion, for a scene about `depth` away."""
    off = tangents.log(forth.edge.S_i_j @ back.edge.S_i_j)
    shift = np.linalg.norm(off[:3]) / scale_of(forth.edge.S_i_j)
    return bool(shift < 0.1 * depth and np.linalg.norm(off[3:6]) < 0.1 and abs(off[6]) < 0.2)


def expected_overlap(source: Keyframe, camera: Intrinsics, S_source_target: np.ndarray) -> float:
    """Share of the source's points that the target's camera would have in view."""
    x, y = grid_pixels(source.size, 16).T
    known = source.canonical.weight[y, x] > 0
    if not known.any():
        return 0.0
    T = np.linalg.inv(rigid(S_source_target))
    moved = source.canonical.points[y, x][known] @ T[:3, :3].T + T[:3, 3]
    return float(inside(project(moved, camera), (camera.height, camera.width)).mean())
