# SPDX-License-Identifier: Apache-2.0
"""Splats of posed images with depth: usable at once, and where optimisation starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch

from dens3r_ros.geometry.normals import normals_from_points
from dens3r_ros.geometry.quaternion import quaternion_from_rotation
from dens3r_ros.geometry.rays import unproject
from dens3r_ros.splats.harmonics import CONSTANT
from dens3r_ros.splats.splats import Splats, no_splats
from dens3r_ros.splats.view import View

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SplatOptions:
    """How splats are made of views.

    min_confidence  points of less are left out; 1 is none
    voxel           side of the cubes that one splat stands for, in the world's unit; where it is
                    0, they are about as wide as the finest pixel that sees them
    """

    min_confidence: float = 2.0
    voxel: float = 0.0


_WIDTH = 0.5
"""Standard deviation of a disc within its plane, in pixels there."""
_THICKNESS = 0.1
"""Of a disc, to its width."""
_GRAZING = 0.15
"""Cosine between a surface and the ray to it below which depth is a smear between two things."""
_JUMP = 0.03
"""Relative difference of neighbouring depths up to which they are one surface."""
_MOST_OPAQUE = 0.99
_CUBE = 1.0
"""Side of a cube that one splat stands for, in pixels there."""


def splats_of_views(
    views: Sequence[View],
    frame: str = "map",
    metric: bool = False,
    options: SplatOptions | None = None,
    progress: Progress = lambda done, total: None,
) -> Splats:
    """One splat per cube that a sure point lies in: a disc along the surface, as wide as its pixel
    there; colour of the pixel, opacity by its confidence. What moves is left out."""
    options = options or SplatOptions()
    parts = []
    for n, view in enumerate(views):
        part = _thinned(_discs(view, options), options.voxel)
        parts.append(part)
        progress(n + 1, len(views))
    if not parts:
        return no_splats()
    names = [field.name for field in fields(_Discs)]
    whole = _Discs(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    return _splats(_thinned(whole, options.voxel), options.voxel, frame, metric)


@dataclass(frozen=True, eq=False)
class _Discs:
    """points, normals and unit rays to them (N, 3) in the world; widths of a pixel there and
    opacities (N,); colours (N, 3) from 0 to 1."""

    points: np.ndarray
    normals: np.ndarray
    rays: np.ndarray
    pixels: np.ndarray
    opacities: np.ndarray
    colours: np.ndarray

    def chosen(self, indices: np.ndarray) -> _Discs:
        return _Discs(*(array[indices] for array in vars(self).values()))


def _discs(view: View, options: SplatOptions) -> _Discs:
    depth = np.nan_to_num(view.depth, nan=0.0, posinf=0.0).astype(np.float32)
    points = unproject(torch.from_numpy(depth), view.camera)
    normals, smooth = (array.numpy() for array in normals_from_points(points))
    placed = points.numpy()
    rays = placed / np.linalg.norm(placed, axis=-1, keepdims=True).clip(1e-12)
    # Beside an edge the surface's direction is not known: there a disc faces the camera.
    normals = np.where(smooth[..., None], normals, -rays)
    kept = (smooth | _beside_edge(depth)) & (np.abs((normals * rays).sum(-1)) > _GRAZING)
    opacities = np.full(depth.shape, _MOST_OPAQUE, np.float32)
    if view.confidence is not None:
        kept &= view.confidence >= options.min_confidence
        opacities = (1 - view.confidence.clip(1) ** -2.0).clip(0, _MOST_OPAQUE)
    if view.moving is not None:
        kept &= ~view.moving
    T = view.T_world_camera
    R = T[:3, :3].T.astype(np.float32)
    return _Discs(
        placed[kept] @ R + T[:3, 3].astype(np.float32),
        normals[kept] @ R,
        rays[kept] @ R,
        depth[kept] / np.float32(np.sqrt(view.camera.fx * view.camera.fy)),
        opacities[kept].astype(np.float32),
        view.image[kept].astype(np.float32) / 255,
    )


def _beside_edge(depth: np.ndarray) -> np.ndarray:
    """(H, W) pixels that go on smoothly to one side at least, both across and down; what lies
    between near and far, as networks smear edges, does to neither."""
    inverse = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 0)
    good = depth > 0
    for axis in (0, 1):
        padded = np.pad(inverse, [(1, 1) if axis == n else (0, 0) for n in (0, 1)])
        sides = [np.take(padded, range(k, k + depth.shape[axis]), axis) for k in (0, 2)]
        good &= np.minimum(*(np.abs(side - inverse) for side in sides)) < _JUMP * inverse
    return good


def _thinned(discs: _Discs, voxel: float) -> _Discs:
    """One of each cube: that of the finest pixel."""
    if voxel <= 0:
        return _thinned_by_pixels(discs)
    order = np.argsort(discs.pixels, kind="stable")
    first = np.unique(_keys(discs.points[order], voxel), return_index=True)[1]
    return discs.chosen(np.sort(order[first]))


def _thinned_by_pixels(discs: _Discs) -> _Discs:
    """Cubes as wide as the pixel of each point, to a power of two; from the finest to the widest,
    none where a finer one is already."""
    levels = np.round(np.log2(discs.pixels.clip(1e-30))).astype(int)
    kept = np.zeros(0, np.int64)
    for level in np.unique(levels):
        here = (levels == level).nonzero()[0]
        here = np.concatenate([kept, here[np.argsort(discs.pixels[here], kind="stable")]])
        keys = _keys(discs.points[here], _CUBE * 2.0**level)
        first = np.unique(keys, return_index=True)[1]
        first = first[first >= len(kept)]
        kept = np.concatenate([kept, np.sort(here[first])])
    return discs.chosen(np.sort(kept))


def _keys(points: np.ndarray, side: float) -> np.ndarray:
    """One number of each cube; different ones of one map practically never share it."""
    cells = np.floor(points / side).astype(np.int64)
    mixed = np.zeros(len(cells), np.uint64)
    for column in cells.T.astype(np.uint64):
        mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
    return mixed


def _splats(discs: _Discs, voxel: float, frame: str, metric: bool) -> Splats:
    normals, rays = discs.normals, discs.rays
    facing = np.abs((normals * rays).sum(-1, keepdims=True)).clip(_GRAZING)
    leaning = _unit(rays - (rays * normals).sum(-1, keepdims=True) * normals, normals)
    axes = np.stack([leaning, np.cross(normals, leaning), normals], -1)
    across = _WIDTH * np.maximum(discs.pixels, voxel)[:, None]
    # A pixel's patch of the surface is longer the more it leans away.
    scales = np.concatenate([across / facing, across, _THICKNESS * across], 1)
    turn = quaternion_from_rotation(torch.from_numpy(axes.astype(np.float64)))
    return Splats(
        discs.points.astype(np.float32),
        np.log(scales.clip(1e-30)).astype(np.float32),
        turn.numpy().astype(np.float32),
        discs.opacities,
        ((discs.colours - 0.5) / CONSTANT).astype(np.float32)[:, None],
        frame,
        metric,
    )


def _unit(vectors: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Unit vectors; where they vanish, any at right angles to the normal."""
    aside = np.cross(normals, np.eye(3, dtype=np.float32)[np.abs(normals).argmin(-1)])
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    chosen = np.where(length > 1e-4, vectors, aside)
    return chosen / np.linalg.norm(chosen, axis=-1, keepdims=True).clip(1e-12)
