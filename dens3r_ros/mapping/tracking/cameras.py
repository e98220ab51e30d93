# SPDX-License-Identifier: Apache-2.0
"""Cameras of pointmaps: given, or fitted to what the engine believes, and steadied over time."""

from __future__ import annotations

from collections import deque
from functools import lru_cache

import numpy as np

from dens3r_ros.engines.preprocess import upright
from dens3r_ros.engines.protocol import Placement
from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.geometry.rays import pixel_rays

_MEMORY = 31
"""Pointmaps whose fitted cameras are remembered."""
CAMERAS = 4
"""Cameras whose rays are kept; frames of one camera share them."""


@lru_cache(maxsize=CAMERAS)
def camera_rays(camera: Intrinsics) -> np.ndarray:
    """(h, w, 3) float32 rays of depth 1 through the pixels, shared by all who ask: not to be
    changed."""
    rays = pixel_rays(camera).numpy()
    rays.flags.writeable = False
    return rays


def rays_at(pixels: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """(N, 3) unit rays through (N, 2) pixels."""
    rays = np.ones((len(pixels), 3))
    rays[:, 0] = (pixels[:, 0] - camera.cx) / camera.fx
    rays[:, 1] = (pixels[:, 1] - camera.cy) / camera.fy
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def fit_camera(points: np.ndarray, confidence: np.ndarray, step: int = 8) -> Intrinsics | None:
    """The pinhole camera that sees each point of an (h, w, 3) pointmap on its own pixel.

    Robust least squares per axis, weighed by confidence; None where too little is known.
    """
    height, width = points.shape[:2]
    some, weights = points[::step, ::step], confidence[::step, ::step] - 1
    good = (weights > 0) & (some[..., 2] > 1e-6)
    if good.sum() < 50:
        return None
    y, x = np.nonzero(good)
    seen, weights = some[good].astype(np.float64), weights[good]
    fx, cx = _line(seen[:, 0] / seen[:, 2], x * step, weights)
    fy, cy = _line(seen[:, 1] / seen[:, 2], y * step, weights)
    if min(fx, fy) < 0.1 * width or max(fx, fy) > 10 * width:
        return None
    return Intrinsics(fx, fy, cx, cy, width, height)


def at_input(camera: Intrinsics, placement: Placement) -> Intrinsics:
    """The camera of the whole, unturned image, given that of the engine's pixels."""
    where = upright(placement)
    height, width = where.resized
    whole = Intrinsics(
        camera.fx, camera.fy, camera.cx + where.left, camera.cy + where.top, width, height
    )
    return whole.resized(where.original[1], where.original[0])


class CameraEstimate:
    """The median of the cameras that were fitted lately."""

    def __init__(self) -> None:
        self._fits: deque[Intrinsics] = deque(maxlen=_MEMORY)

    def add(self, camera: Intrinsics | None) -> None:
        """Take one more fit into account; fits of another size replace the older ones."""
        if camera is None:
            return
        if self._fits and (self._fits[0].width, self._fits[0].height) != (
            camera.width,
            camera.height,
        ):
            self._fits.clear()
        self._fits.append(camera)

    @property
    def count(self) -> int:
        """How many fits are remembered."""
        return len(self._fits)

    @property
    def doubt(self) -> float:
        """Standard deviation of the logarithm of the focal length, robustly."""
        focals = np.log([fit.fx for fit in self._fits])
        spread = 1.4826 * np.median(np.abs(focals - np.median(focals)))
        return float(spread / np.sqrt(len(focals)))

    @property
    def current(self) -> Intrinsics | None:
        """None before anything is known."""
        if not self._fits:
            return None
        values = np.array([(fit.fx, fit.fy, fit.cx, fit.cy) for fit in self._fits])
        fx, fy, cx, cy = (float(value) for value in np.median(values, axis=0))
        return Intrinsics(fx, fy, cx, cy, self._fits[0].width, self._fits[0].height)


def _line(slopes: np.ndarray, pixels: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """(focal, centre) with pixels = focal * slopes + centre."""
    A = np.stack((slopes, np.ones_like(slopes)), 1)
    robust = weights
    for _ in range(3):
        weighed = (A * robust[:, None]).T
        focal, centre = np.linalg.solve(weighed @ A, weighed @ pixels)
        off = np.abs(A @ (focal, centre) - pixels)
        robust = weights / np.maximum(off, 0.5)
    return float(focal), float(centre)
