# SPDX-License-Identifier: Apache-2.0
"""Points that hang in front of what another image sees there, and see less surely."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dens3r_ros.geometry.sim3 import act

_IN_FRONT = 0.999


def cleaned_confidences(
    points: Sequence[Tensor],
    depths: Sequence[Tensor],
    confidences: Sequence[Tensor],
    Ks: Tensor,
    T_world_camera: Tensor,
) -> list[Tensor]:
    """Confidences (H, W) of all images, 0 for points that another image contradicts.

    A point (H, W, 3) in the world is contradicted where it lies in front of the depth (H, W) that a
    more confident pixel of another image has. Images are gone through in order, and what has
    lost its confidence contradicts nothing more.
    """
    found = [confidence.clone() for confidence in confidences]
    for image, of_image in enumerate(points):
        for other in range(len(points)):
            if other == image:
                continue
            height, width = depths[other].shape
            seen = act(torch.linalg.inv(T_world_camera[other]), of_image.reshape(-1, 3))
            x, y = _nearest_pixels(seen, Ks[other])
            inside = (seen[:, 2] > 0) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
            x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
            in_front = seen[:, 2] < _IN_FRONT * depths[other][y, x]
            unsure = found[image].flatten() < found[other][y, x]
            wrong = (inside & in_front & unsure).view_as(found[image])
            found[image][wrong] = 0.0
    return found


def _nearest_pixels(points: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    pixels = points @ K.mT
    pixels = (pixels[:, :2] / pixels[:, 2:]).round().nan_to_num(-1, -1, -1).clamp(-1, 1e6)
    x, y = pixels.long().unbind(-1)
    return x, y
