# SPDX-License-Identifier: Apache-2.0
"""The focal length and the shift in depth that make points of an image lie on its pixels' rays."""

from __future__ import annotations

import math

import numpy as np
import torch.nn.functional as F
from scipy.optimize import least_squares
from torch import Tensor

from dens3r_ros.network.parts.uv import uv_grid

_SIDE = 64
_LEAST_SAMPLES = 2
# As loose as published: a tighter one would give other depths than the weights' authors have.
_TOLERANCE = 1e-3


def recover_camera(
    points: Tensor, mask: Tensor | None = None, focal: float | None = None
) -> tuple[float, float]:
    """(focal length, shift of depth) of a pointmap (H, W, 3).

    The focal length is in halves of the image's diagonal, solved for unless it is given; the shift
    is in the unit of the points. Pixels where `mask` (H, W) is False are left out.
    """
    height, width = points.shape[:2]
    pixels = uv_grid((height, width), width / height, points.device)
    xyz, uv = (_thinned(maps.permute(2, 0, 1)).T for maps in (points, pixels))
    if mask is not None:
        kept = _thinned(mask[None].float())[0] > 0
        xyz, uv = xyz[kept], uv[kept]
    if len(uv) < _LEAST_SAMPLES:
        return 1.0 if focal is None else focal, 0.0
    shift = _best_shift(xyz, uv, focal)
    return _best_focal(xyz, uv, shift) if focal is None else focal, float(shift)


def focal_of_view(fov_x_deg: float, aspect: float) -> float:
    """The focal length, in halves of the diagonal, of a horizontal field of view."""
    return aspect / math.hypot(aspect, 1.0) / math.tan(math.radians(fov_x_deg) / 2)


def intrinsics_of(focal: float, aspect: float) -> tuple[float, float]:
    """fx in widths and fy in heights of the image, of a focal length in halves of its diagonal."""
    diagonal = math.hypot(aspect, 1.0)
    return focal / 2 * diagonal / aspect, focal / 2 * diagonal


def _thinned(maps: Tensor) -> np.ndarray:
    """(C, H, W) to (C, 64 * 64) float32, by the nearest pixels."""
    small = F.interpolate(maps[None].float(), (_SIDE, _SIDE), mode="nearest")
    return small[0].flatten(1).cpu().numpy()


def _best_shift(xyz: np.ndarray, uv: np.ndarray, focal: float | None) -> np.float32:
    def misses(shift: np.ndarray) -> np.ndarray:
        slopes = xyz[:, :2] / (xyz[:, 2:] + shift)
        by = _fit(slopes, uv) if focal is None else focal
        return (by * slopes - uv).ravel()

    found = least_squares(misses, x0=np.zeros(1), ftol=_TOLERANCE, method="lm")
    return np.float32(found.x[0])


def _best_focal(xyz: np.ndarray, uv: np.ndarray, shift: np.float32) -> float:
    return float(_fit(xyz[:, :2] / (xyz[:, 2:] + shift), uv))


def _fit(slopes: np.ndarray, uv: np.ndarray) -> np.floating:
    return (slopes * uv).sum() / np.square(slopes).sum()
