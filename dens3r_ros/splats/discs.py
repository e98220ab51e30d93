# SPDX-License-Identifier: Apache-2.0
"""Discs on surfaces, as pixels of a posed image with depth show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch

from dens3r_ros.geometry.normals import normals_from_points
from dens3r_ros.geometry.quaternion import quaternion_from_rotation
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.splats.harmonics import CONSTANT
from dens3r_ros.splats.splats import Splats
from dens3r_ros.splats.view import PhotoView

_WIDTH = 0.5
"""Standard deviation of a disc within its plane, in pixels there."""
_THICKNESS = 0.1
"""Of a disc, to its width."""
_GRAZING = 0.15
"""Cosine between a surface and the ray to it below which depth is a smear between two things."""
_JUMP = 0.03
"""Relative difference of neighbouring depths up to which they are one surface."""
_MOST_OPAQUE = 0.99


@dataclass(frozen=True, eq=False)
class Discs:
    """points, normals and unit rays to them (N, 3) in the world; widths of a pixel there and
    opacities (N,); colours (N, 3) from 0 to 1."""

    points: np.ndarray
    normals: np.ndarray
    rays: np.ndarray
    pixels: np.ndarray
    opacities: np.ndarray
    colours: np.ndarray

    def __len__(self) -> int:
        return len(self.points)

    def chosen(self, indices: np.ndarray) -> Discs:
        """Some of them."""
        return Discs(*(array[indices] for array in vars(self).values()))


def joined(parts: Sequence[Discs]) -> Discs:
    """Those of all parts."""
    names = [field.name for field in fields(Discs)]
    return Discs(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def discs_of(view: PhotoView, min_confidence: float) -> Discs:
    """What a view is sure of, along the surface."""
    depth = known_depth(view)
    rays = pixel_rays(view.camera).numpy()
    points = torch.from_numpy(rays * depth[..., None])
    normals, smooth = (array.numpy() for array in normals_from_points(points))
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    # Beside an edge the surface's direction is not known: there a disc faces the camera.
    normals = np.where(smooth[..., None], normals, -rays)
    kept = (smooth | _beside_edge(depth)) & (np.abs((normals * rays).sum(-1)) > _GRAZING)
    opacities = np.full(depth.shape, _MOST_OPAQUE, np.float32)
    if view.confidence is not None:
        kept &= view.confidence >= min_confidence
        opacities = (1 - view.confidence.clip(1) ** -2.0).clip(0, _MOST_OPAQUE)
    if view.moving is not None:
        kept &= ~view.moving
    return _placed(view, kept, depth, normals, opacities)


def facing_discs(view: PhotoView, where: np.ndarray, depth: np.ndarray, opacity: float) -> Discs:
    """Discs that face the camera at pixels (H, W) bool, as far away as `depth` (H, W) says."""
    rays = pixel_rays(view.camera).numpy()
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    return _placed(view, where, depth, -rays, np.full(depth.shape, opacity, np.float32))


def known_depth(view: PhotoView) -> np.ndarray:
    """(H, W) float32, 0 where unknown."""
    return np.nan_to_num(view.depth, nan=0.0, posinf=0.0).clip(0).astype(np.float32)


def _placed(
    view: PhotoView, kept: np.ndarray, depth: np.ndarray, normals: np.ndarray, opacities: np.ndarray
) -> Discs:
    rays = pixel_rays(view.camera).numpy()[kept]
    R = view.T_world_camera[:3, :3].T.astype(np.float32)
    points = rays * depth[kept][:, None]
    return Discs(
        points @ R + view.T_world_camera[:3, 3].astype(np.float32),
        normals[kept] @ R,
        (rays / np.linalg.norm(rays, axis=-1, keepdims=True)) @ R,
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


def splats_of_discs(discs: Discs, least_width: float, frame: str, metric: bool) -> Splats:
    """Splats as wide as their pixels, or as `least_width` where that is more."""
    normals, rays = discs.normals, discs.rays
    facing = np.abs((normals * rays).sum(-1, keepdims=True)).clip(_GRAZING)
    leaning = _unit(rays - (rays * normals).sum(-1, keepdims=True) * normals, normals)
    axes = np.stack([leaning, np.cross(normals, leaning), normals], -1)
    across = _WIDTH * np.maximum(discs.pixels, least_width)[:, None]
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
