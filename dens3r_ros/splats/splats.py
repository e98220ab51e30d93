# SPDX-License-Identifier: Apache-2.0
"""Gaussian splats as everybody hands them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MOST_COEFFICIENTS = 25
"""Of each colour: harmonics up to degree 4."""


@dataclass(frozen=True, eq=False)
class Splats:
    """N splats in one frame; all arrays are float32.

    means       (N, 3) centres, in metres or in the map's free unit, as `metric` says
    log_scales  (N, 3) natural logarithms of the standard deviations along the splat's own axes
    rotations   (N, 4) unit quaternions x, y, z, w: take the splat's own axes to `frame`
    opacities   (N,) from 0 to 1
    harmonics   (N, K, 3) coefficients of red, green and blue, the constant one first; K is 1, 4, 9,
                16 or 25. A colour is 0.5 and their sum in the direction from the camera's centre,
                with the signs that 3D Gaussian splatting uses, not below 0
    frame       name of the frame that all this is in
    metric      whether lengths are metres
    """

    means: np.ndarray
    log_scales: np.ndarray
    rotations: np.ndarray
    opacities: np.ndarray
    harmonics: np.ndarray
    frame: str = "map"
    metric: bool = False

    def __post_init__(self) -> None:
        count = len(self.means)
        coefficients = self.harmonics.shape[1] if self.harmonics.ndim == 3 else 0
        expected = {
            "means": (count, 3),
            "log_scales": (count, 3),
            "rotations": (count, 4),
            "opacities": (count,),
            "harmonics": (count, coefficients, 3),
        }
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise ValueError(f"{name} are {array.dtype} {array.shape}, not float32 {shape}")
        if coefficients not in (1, 4, 9, 16, MOST_COEFFICIENTS):
            raise ValueError(f"{coefficients} coefficients a colour; there can be 1, 4, 9, 16, 25")

    def __len__(self) -> int:
        return len(self.means)

    @property
    def degree(self) -> int:
        """Of the harmonics: 0 where colours are the same from everywhere."""
        return round(self.harmonics.shape[1] ** 0.5) - 1


def joined_splats(parts: Sequence[Splats]) -> Splats:
    """All of one frame and unit together, with as many harmonics as the part that has most."""
    first, most = parts[0], max(part.harmonics.shape[1] for part in parts)

    def padded(harmonics: np.ndarray) -> np.ndarray:
        return np.pad(harmonics, [(0, 0), (0, most - harmonics.shape[1]), (0, 0)])

    return Splats(
        np.concatenate([part.means for part in parts]),
        np.concatenate([part.log_scales for part in parts]),
        np.concatenate([part.rotations for part in parts]),
        np.concatenate([part.opacities for part in parts]),
        np.concatenate([padded(part.harmonics) for part in parts]),
        first.frame,
        first.metric,
    )


def no_splats(coefficients: int = 1) -> Splats:
    """None at all."""
    shapes = ((0, 3), (0, 3), (0, 4), (0,), (0, coefficients, 3))
    means, log_scales, rotations, opacities, harmonics = (np.zeros(s, np.float32) for s in shapes)
    return Splats(means, log_scales, rotations, opacities, harmonics)
