# SPDX-License-Identifier: Apache-2.0
"""A reconstructed scene, as everything that writes or shows it takes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.normals import normals_from_points
from dens3r_ros.geometry.rays import pixel_rays
from dens3r_ros.mapping.update import TimedPose

_GRAZING = 0.15
"""Cosine between a surface and the ray to it below which depth is a smear between two things."""


@dataclass(frozen=True, eq=False)
class SceneView:
    """A keyframe's maps in the scene's unit.

    depth (h, w) float32 along the optical axis, 0 where unknown; confidence (h, w) float32, 1
    (none) to infinity; colours (h, w, 3) uint8 RGB; camera sees these pixels; moving (h, w) bool:
    what moves by itself, None where that was not told.
    """

    depth: np.ndarray
    confidence: np.ndarray
    colours: np.ndarray
    camera: Intrinsics
    moving: np.ndarray | None = None

    @property
    def points(self) -> np.ndarray:
        """(h, w, 3) float32 in the optical frame; 0 where unknown."""
        return pixel_rays(self.camera).numpy().astype(np.float32) * self.depth[..., None]

    def normals(self) -> np.ndarray:
        """(h, w, 3) float32 unit vectors that face the camera; 0 where unknown."""
        known = torch.from_numpy(self.depth > 0)
        return normals_from_points(torch.from_numpy(self.points), known, radius=2)[0].numpy()

    def good(self, least: float, normals: np.ndarray) -> np.ndarray:
        """(h, w) pixels that are sure, stand still, and are not seen edge-on."""
        points = self.points
        distance = np.linalg.norm(points, axis=-1).clip(1e-9)
        facing = np.abs((normals * points).sum(-1)) / distance
        good = (self.confidence >= least) & (self.depth > 0) & (facing > _GRAZING)
        return good if self.moving is None else good & ~self.moving


@dataclass(frozen=True, eq=False)
class SceneKeyframe:
    """A keyframe: T_world_camera (4, 4) rigid, its image's file, the camera of that, and its maps,
    read when they are asked for."""

    id: int
    stamp: int
    camera: str
    T_world_camera: np.ndarray
    image: Path
    intrinsics: Intrinsics
    read: Callable[[], SceneView]


@dataclass(frozen=True, eq=False)
class ScenePoints:
    """Points that several keyframes see: xyz (N, 3) float64, rgb (N, 3) uint8, and sightings of
    them: point (M,) numbers of points, keyframe (M,) their ids, pixels (M, 2) in the keyframe's
    whole image, pixel centres at whole numbers."""

    xyz: np.ndarray
    rgb: np.ndarray
    point: np.ndarray
    keyframe: np.ndarray
    pixels: np.ndarray


@dataclass(frozen=True, eq=False)
class Scene:
    """Poses are camera-to-world; lengths are metres where `metric`, else of one unit throughout;
    z points up where `levelled_by` says by what that is known."""

    keyframes: tuple[SceneKeyframe, ...]
    trajectory: tuple[TimedPose, ...]
    metric: bool
    levelled_by: str
    least_confidence: float
    points: ScenePoints | None = None
    loops: tuple[tuple[int, int], ...] = field(default=())

    @property
    def unit(self) -> str:
        """What lengths are in, in words."""
        return "metres" if self.metric else "a free unit"

    def views(self) -> Iterator[tuple[SceneKeyframe, SceneView]]:
        """Each keyframe with its maps, one at a time."""
        for keyframe in self.keyframes:
            yield keyframe, keyframe.read()

    def typical_depth(self) -> float:
        """The median over keyframes of their median depth; 1 where none is known."""
        some = self.keyframes[:: max(1, len(self.keyframes) // 20)]
        depths = [known for one in some if (known := one.read().depth).any()]
        return float(np.median([np.median(d[d > 0]) for d in depths])) if depths else 1.0

    def with_points(self, points: ScenePoints | None) -> Scene:
        """The same with other points."""
        return replace(self, points=points)


def in_world(points: np.ndarray, T_world_camera: np.ndarray) -> np.ndarray:
    """(N, 3) points of a camera in the world."""
    return points @ T_world_camera[:3, :3].T + T_world_camera[:3, 3]
