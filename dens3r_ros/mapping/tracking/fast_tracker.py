# SPDX-License-Identifier: Apache-2.0
"""The pose of a frame by the image alone, in a few milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.cameras import rays_at
from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.matching import median, unit
from dens3r_ros.mapping.resection import Matches, Resection, resect
from dens3r_ros.mapping.tracking.landmarks import Landmarks, Search, follow_landmarks
from dens3r_ros.mapping.tracking.motion import Motion
from dens3r_ros.mapping.tracking.reference import Neighbour, Reference

_COARSE = Search(levels=3, strays=60.0, home=False, most=80)
_FINE = Search(levels=1, strays=6.0, home=True)
_FEW = 20
"""Points that agree below which no pose is believed."""
_PLENTY = 120
"""Points of the keyframe that are found from which on its neighbours are not asked."""
_AGREE = 0.5
"""Share of the points found that must agree."""
_UNSURE = 0.05
"""Standard deviation of the place, as a share of the depth, or radians, beyond which a pose is not
believed."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A frame's pose by the image alone.

    T_keyframe_frame (4, 4) rigid, in the keyframe's unit; covariance (6, 6) of a small motion in
    the frame's optical frame; matched: share of the keyframe's landmarks that were found; inliers:
    share of all points found that agree; parallax: median radians between the keyframe's rays and
    the frame's; found: the points that agree, as landmarks of this frame in the keyframe's unit.
    """

    T_keyframe_frame: np.ndarray
    covariance: np.ndarray
    matched: float
    inliers: float
    parallax: float
    found: Landmarks


@dataclass(frozen=True, eq=False)
class _Sights:
    """Points (N, 3) in the keyframe's frame and unit, and pixels (N, 2) that see them."""

    points: np.ndarray
    pixels: np.ndarray

    def __len__(self) -> int:
        return len(self.points)

    def solved(
        self, camera: Intrinsics, T_frame_keyframe: np.ndarray, sigma: float, config: TrackingConfig
    ) -> Resection:
        """The pose refined, with errors of `sigma` usual ones."""
        matches = Matches(self.points, rays_at(self.pixels, camera), np.ones(len(self)))
        return resect(matches, T_frame_keyframe, sigma * config.sigma_pixels / camera.fx, config)


def place(
    grey: np.ndarray,
    reference: Reference,
    motion: Motion,
    T_keyframe_frame: np.ndarray,
    config: TrackingConfig,
) -> Placed | str:
    """Place a frame, (h, w) uint8 as the engine would see it, that is expected at
    `T_keyframe_frame`; a reason in words where that cannot be done."""
    T = _coarse(grey, reference, motion, np.linalg.inv(T_keyframe_frame), config)
    own = _found(grey, reference.sight.camera, reference.landmarks, T, np.eye(4))
    sights = [own]
    if len(own) < _PLENTY:
        sights += [_shared(grey, reference.sight.camera, one, T) for one in reference.neighbours]
    found = _Sights(
        np.concatenate([one.points for one in sights]),
        np.concatenate([one.pixels for one in sights]),
    )
    if len(found) < _FEW:
        return f"only {len(found)} points of keyframe {reference.keyframe_id} found again"
    solved = found.solved(reference.sight.camera, T, 1.0, config)
    depth = reference.landmarks.depth
    reason = _doubted(solved, depth)
    if reason is not None:
        return reason
    matched = len(own) / max(len(reference.landmarks), 1)
    return _placed(grey, reference, found, solved.with_floor(config.image_error, depth), matched)


def _coarse(
    grey: np.ndarray,
    reference: Reference,
    motion: Motion,
    T: np.ndarray,
    config: TrackingConfig,
) -> np.ndarray:
    """T_frame_keyframe by some points, followed from far away; as expected where that fails."""
    before, T_keyframe_before = motion.before, motion.T_keyframe_frame
    if before is None:
        before, T_keyframe_before = reference.landmarks, np.eye(4)
    followed = follow_landmarks(before, grey, reference.sight.camera, T @ T_keyframe_before, _COARSE)
    if len(followed.which) < _FEW:
        return T
    points = _moved(before.points[followed.which], T_keyframe_before)
    solved = _Sights(points, followed.pixels).solved(reference.sight.camera, T, 2.0, config)
    return solved.T_frame_keyframe if solved.inliers > _AGREE else T


def _found(
    grey: np.ndarray,
    camera: Intrinsics,
    landmarks: Landmarks,
    T_frame_landmarks: np.ndarray,
    S_keyframe_landmarks: np.ndarray,
) -> _Sights:
    followed = follow_landmarks(landmarks, grey, camera, T_frame_landmarks, _FINE)
    points = _moved(landmarks.points[followed.which], S_keyframe_landmarks)
    return _Sights(points, followed.pixels)


def _shared(
    grey: np.ndarray, camera: Intrinsics, neighbour: Neighbour, T_frame_keyframe: np.ndarray
) -> _Sights:
    S = neighbour.S_keyframe_neighbour
    T = T_frame_keyframe @ S
    T[:3] /= np.cbrt(np.linalg.det(T[:3, :3]))
    return _found(grey, camera, neighbour.landmarks, T, S)


def _moved(points: np.ndarray, S: np.ndarray) -> np.ndarray:
    return points @ S[:3, :3].T + S[:3, 3]


def _doubted(solved: Resection, depth: float) -> str | None:
    """Why a pose cannot be believed, if so."""
    if solved.inliers < _AGREE or solved.agree.sum() < _FEW:
        return f"{solved.agree.sum()} of {len(solved.agree)} points followed agree on a pose"
    doubt = np.sqrt(np.diag(solved.covariance))
    if max(doubt[:3].max() / depth, doubt[3:].max()) > _UNSURE:
        return "the points followed leave the pose open"
    return None


def _placed(
    grey: np.ndarray, reference: Reference, found: _Sights, solved: Resection, matched: float
) -> Placed:
    T = solved.T_frame_keyframe
    points, pixels = found.points[solved.agree], found.pixels[solved.agree]
    here = _moved(points, T)
    turned = unit(points @ T[:3, :3].T)
    parallax = median(np.linalg.norm(turned - unit(here), axis=1))
    trail = Landmarks(
        reference.keyframe_id,
        grey,
        reference.sight.camera,
        pixels.astype(np.float32),
        here,
        median(here[:, 2]),
    )
    covariance = solved.covariance
    return Placed(
        np.linalg.inv(T), covariance, matched, solved.inliers, parallax, trail
    )
