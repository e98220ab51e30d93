# SPDX-License-Identifier: Apache-2.0
"""One output beside the published one: the largest error, and the tolerance for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

SCALE_TOLERANCE = 1e-4
CAMERA_TOLERANCE = 1e-4
NORMALS_TOLERANCE_DEG = 0.05


class LeftOut(Exception):
    """A file of a kind that is known, of something that this package does not do on purpose."""


@dataclass(frozen=True)
class Comparison:
    """The largest error of one output of one case.

    case        which input, as the file calls it; empty where there is one only
    output      as the file calls it
    error       in `unit`; infinity or NaN where the two cannot be compared
    unit        what the error is measured in
    note        why they cannot be compared, empty otherwise
    """

    case: str
    output: str
    error: float
    tolerance: float
    unit: str = "of scale"
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance."""
        return self.error <= self.tolerance


def of_scale(
    case: str,
    output: str,
    value: Any,
    published: ArrayLike,
    tolerance: float = SCALE_TOLERANCE,
    scale: float | None = None,
) -> Comparison:
    """Largest difference as a share of the largest magnitude of the published output.

    `scale` takes the place of that magnitude where it is given.
    """
    ours, theirs = _float64(value), _float64(published)
    if ours.shape != theirs.shape:
        return _shapes_differ(case, output, ours, theirs, tolerance)
    if scale is None:
        finite = theirs[np.isfinite(theirs)]
        scale = float(np.abs(finite).max(initial=0.0)) or 1.0
    differs = ours != theirs  # infinities that are the same differ by nothing
    error = float(np.abs(ours[differs] - theirs[differs]).max(initial=0.0)) / scale
    return Comparison(case, output, error, tolerance)


def absolute(
    case: str, output: str, value: Any, published: ArrayLike, tolerance: float, unit: str
) -> Comparison:
    """Largest difference in the unit of the output itself."""
    found = of_scale(case, output, value, published, tolerance, scale=1.0)
    return replace(found, unit=unit)


def angular(
    case: str,
    output: str,
    value: Any,
    published: ArrayLike,
    tolerance: float = NORMALS_TOLERANCE_DEG,
) -> Comparison:
    """Largest angle between unit vectors (..., 3), degrees."""
    ours, theirs = _float64(value), _float64(published)
    if ours.shape != theirs.shape:
        return _shapes_differ(case, output, ours, theirs, tolerance, "degrees")
    chords = np.linalg.norm(ours - theirs, axis=-1)
    angle = np.rad2deg(2 * np.arcsin(np.clip(chords / 2, 0, 1)))
    return Comparison(case, output, float(angle.max(initial=0.0)), tolerance, "degrees")


def share_differing(
    case: str, output: str, value: Any, published: ArrayLike, tolerance: float = 0.0
) -> Comparison:
    """Share of the entries that are not the same, for indices, masks and pixels."""
    ours, theirs = _array(value), np.asarray(published)
    if ours.shape != theirs.shape:
        return _shapes_differ(case, output, ours, theirs, tolerance, "of entries")
    error = float(np.mean(ours != theirs)) if theirs.size else 0.0
    return Comparison(case, output, error, tolerance, "of entries")


def at_most(case: str, output: str, value: float, limit: float) -> Comparison:
    """An error of ours that may be anything up to the published code's own error."""
    return Comparison(case, output, float(value), float(limit), "published at most")


def not_compared(case: str, output: str, why: str) -> Comparison:
    """An output that cannot be compared, which never counts as passed."""
    return Comparison(case, output, math.nan, 0.0, "", why)


def _shapes_differ(
    case: str,
    output: str,
    ours: np.ndarray,
    theirs: np.ndarray,
    tolerance: float,
    unit: str = "of scale",
) -> Comparison:
    note = f"shape {ours.shape}, published {theirs.shape}"
    return Comparison(case, output, math.inf, tolerance, unit, note)


def _float64(value: Any) -> np.ndarray:
    return _array(value).astype(np.float64)


def _array(value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    return np.asarray(value)
