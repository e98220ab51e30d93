# SPDX-License-Identifier: Apache-2.0
"""Splats where images show something but no depth is known: windows, black things, far ends."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from dens3r_ros.splats.discs import facing_discs, known_depth, splats_of_discs
from dens3r_ros.splats.drawing.rendering import Renderer
from dens3r_ros.splats.gaussians import gaussians_of
from dens3r_ros.splats.splats import Splats, joined_splats
from dens3r_ros.splats.view import PhotoView

_UNCOVERED = 0.5
"""Light that passes everything at a pixel from which on nothing is there."""
_OPACITY = 0.5
"""Of what fills a gap: optimisation finds out how much of it is right."""


def with_gaps_filled(
    splats: Splats, views: Sequence[PhotoView], renderer: Renderer, device: torch.device
) -> Splats:
    """The splats, and one more for every pixel that sees none, as far away as the nearest pixel
    of known depth; what one view got counts for the next."""
    for view in views:
        with torch.no_grad():
            drawn = renderer(gaussians_of(splats, device), view.camera, view.T_world_camera)
        empty = drawn[1].cpu().numpy() > _UNCOVERED
        if view.moving is not None:
            empty &= ~view.moving
        depth = _guessed(known_depth(view))
        if depth is not None and empty.any():
            discs = facing_discs(view, empty, depth, _OPACITY)
            more = splats_of_discs(discs, 0.0, splats.frame, splats.metric)
            splats = joined_splats([splats, more])
    return splats


def _guessed(depth: np.ndarray) -> np.ndarray | None:
    """(H, W) depth, that of the nearest pixel where it is unknown; None where all is."""
    known = depth > 0
    if not known.any():
        return None
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(int(labels.max()) + 1, np.float32)
    of_label[labels[known]] = depth[known]
    return of_label[labels]
