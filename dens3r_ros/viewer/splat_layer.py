# SPDX-License-Identifier: Apache-2.0
"""Splats as viser draws them: centres, covariances, colours, opacities."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.splats.splats import Splats
from dens3r_ros.viewer.content import constant_colours

MOST = 1_000_000
"""Splats that a browser is sent; of more, the most visible are."""
_TYPICAL, _WIDEST = 0.1, 200.0
"""Standard deviations, typical and largest, that viser is given: it keeps covariances as float16,
in which those of discs of a millimetre would vanish."""


def add_splats(scene: Any, splats: Splats, visible: bool) -> Any:
    """Put splats, at least one, into a scene of viser's; a handle whose `visible` can be set."""
    shown = most_visible(splats, MOST)
    log_scales = splats.log_scales[shown]
    enlarged = np.log(_TYPICAL) - np.median(log_scales.max(1))
    log_scales = (log_scales + enlarged).clip(max=np.log(_WIDEST))
    return scene.add_gaussian_splats(
        "/splats",
        centers=splats.means[shown] * np.exp(enlarged),
        covariances=covariances(splats.rotations[shown], log_scales),
        rgbs=constant_colours(splats)[shown],
        opacities=splats.opacities[shown, None],
        scale=float(np.exp(-enlarged)),
        visible=visible,
    )


def most_visible(splats: Splats, most: int) -> np.ndarray:
    """Indices, in their order, of the splats that cover most, each by area and opacity."""
    if len(splats) <= most:
        return np.arange(len(splats))
    area = np.sort(splats.log_scales, axis=1)[:, 1:].sum(1)
    weight = area + np.log(splats.opacities.clip(1e-9))
    return np.sort(np.argpartition(-weight, most)[:most])


def covariances(rotations: np.ndarray, log_scales: np.ndarray) -> np.ndarray:
    """(N, 3, 3) float32 of quaternions x, y, z, w and logarithms of standard deviations."""
    axes = Rotation.from_quat(rotations).as_matrix() * np.exp(log_scales)[:, None, :]
    return (axes @ axes.swapaxes(1, 2)).astype(np.float32)
