# SPDX-License-Identifier: Apache-2.0
"""Corners that are followed from image to image, and whose place follows from the camera's own way:
what a view is placed by where no decoding has told depth yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.graph.graph import scale_of
from dens3r_ros.mapping.tracking.cameras import rays_at
from dens3r_ros.mapping.tracking.landmarks import flow_there_and_back, fresh_corners
from dens3r_ros.mapping.tracking.matching import inside, project

_MOST = 160
"""Corners that are followed at once."""
_APART = 40
"""Part of the image's width that they keep from each other."""
_LEVELS = 3
_STRAYS = 60.0
"""Pixels from where a corner is expected up to which it is believed."""
_KNOWN = 0.015
"""Radians between the first and the last ray to a corner from which on its place is known."""
_NOISE = 1.0
"""Pixels by which a followed corner is off, its camera's place included."""
_GOOD = 0.05
"""Relative error of the distance at which a corner counts half."""
_OFF = 4.0
"""Pixels beside its place beyond which a corner that is found has slipped."""


@dataclass(frozen=True, eq=False)
class OwnSights:
    """Corners whose place is known, as they are in an image: pixels (N, 2) float64; points (N, 3)
    in the keyframe's frame and unit; weights (N,), 1 where the place is sure."""

    pixels: np.ndarray
    points: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class FollowedCorners:
    """What a new image shows of the corners: which of them (N,), and where, (N, 2) float32."""

    grey: np.ndarray
    which: np.ndarray
    pixels: np.ndarray


class CornerTracks:
    """All relative to a keyframe, in its length unit.

    Of every corner the rays on which it was seen from known places are summed up, so that the point
    nearest to all of them is the solution of three equations.
    """

    def __init__(self) -> None:
        self._grey: np.ndarray | None = None
        self._T = np.eye(4)  # T_keyframe_frame of the latest image
        self._pixels = np.zeros((0, 2), np.float32)
        self._A, self._b = np.zeros((0, 3, 3)), np.zeros((0, 3))
        self._first = np.zeros((0, 3))
        self._angle = np.zeros(0)

    def __len__(self) -> int:
        return len(self._pixels)

    def follow(
        self, grey: np.ndarray, camera: Intrinsics, T_keyframe_frame: np.ndarray
    ) -> FollowedCorners:
        """Look for the corners in a grey image (h, w) whose camera is expected there."""
        if self._grey is None or self._grey.shape != grey.shape or not len(self):
            return FollowedCorners(grey, np.zeros(0, int), self._pixels[:0])
        start = self._expected(camera, T_keyframe_frame)
        which = np.flatnonzero(inside(start, grey.shape, 1))
        there, good = flow_there_and_back(
            self._grey, grey, self._pixels[which], start[which].astype(np.float32), _LEVELS
        )
        good &= np.abs(there - start[which]).max(1, initial=0) < _STRAYS
        return FollowedCorners(grey, which[good], there[good])

    def sights(self, found: FollowedCorners, camera: Intrinsics) -> OwnSights:
        """Those of them whose place is known."""
        points, known = self._points(found.which)
        sigma = _NOISE / (camera.fx * np.maximum(self._angle[found.which], 1e-6))
        weights = 1 / (1 + (sigma / _GOOD) ** 2)
        return OwnSights(found.pixels[known].astype(np.float64), points[known], weights[known])

    def stand(
        self, found: FollowedCorners, camera: Intrinsics, T_keyframe_frame: np.ndarray, sure: bool
    ) -> None:
        """The image was taken there; if that is `sure`, it tells where the corners are."""
        self._keep(found.which)
        self._pixels, self._grey, self._T = found.pixels, found.grey, T_keyframe_frame
        if sure:
            self._renew()
            self._see(camera)

    def rebase(self, S_new_old: np.ndarray) -> None:
        """Go on relative to another keyframe, in its unit, or with all places put right."""
        scale = scale_of(S_new_old)
        R, shift = S_new_old[:3, :3] / scale, S_new_old[:3, 3]
        self._A = R @ self._A @ R.T
        self._b = scale * self._b @ R.T + self._A @ shift
        self._first = self._first @ R.T
        T = S_new_old @ self._T
        T[:3, :3] /= scale
        self._T = T

    def _expected(self, camera: Intrinsics, T_keyframe_frame: np.ndarray) -> np.ndarray:
        """(N, 2) pixels: of corners whose place is not known as if they were far away."""
        points, known = self._points(np.arange(len(self)))
        ahead = rays_at(self._pixels.astype(np.float64), camera) @ self._T[:3, :3].T
        T = np.linalg.inv(T_keyframe_frame)
        here = np.where(known[:, None], points @ T[:3, :3].T + T[:3, 3], ahead @ T[:3, :3].T)
        return project(here, camera)

    def _points(self, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) places, and which (N,) are known."""
        known = self._angle[which] > _KNOWN
        A = np.where(known[:, None, None], self._A[which], np.eye(3))
        return np.linalg.solve(A, self._b[which][..., None])[..., 0], known

    def _see(self, camera: Intrinsics) -> None:
        """Take in the rays of the latest image; a corner beside its place is given up."""
        here = np.linalg.inv(self._T)
        rays = rays_at(self._pixels.astype(np.float64), camera) @ self._T[:3, :3].T
        across = np.eye(3) - rays[:, :, None] * rays[:, None, :]
        self._A = self._A + across
        self._b = self._b + across @ self._T[:3, 3]
        new = np.linalg.norm(self._first, axis=1) == 0
        self._first = np.where(new[:, None], rays, self._first)
        between = np.linalg.norm(rays - self._first, axis=1)
        self._angle = np.maximum(self._angle, between)
        points, known = self._points(np.arange(len(self)))
        seen = project(points @ here[:3, :3].T + here[:3, 3], camera)
        off = np.abs(seen - self._pixels).max(1, initial=0)
        self._keep(np.flatnonzero(~known | (off < _OFF)))

    def _renew(self) -> None:
        """Take up new corners where there are none."""
        if len(self) > 0.75 * _MOST or self._grey is None:
            return
        apart = max(self._grey.shape[1] // _APART, 4)
        new = fresh_corners(self._grey, self._pixels, _MOST, apart)
        count = len(new)
        rays = np.zeros((count, 3))
        self._pixels = np.concatenate((self._pixels, new))
        self._A = np.concatenate((self._A, np.zeros((count, 3, 3))))
        self._b = np.concatenate((self._b, rays))
        self._first = np.concatenate((self._first, rays))
        self._angle = np.concatenate((self._angle, np.zeros(count)))

    def _keep(self, which: np.ndarray) -> None:
        self._pixels, self._angle = self._pixels[which], self._angle[which]
        self._A, self._b, self._first = self._A[which], self._b[which], self._first[which]
