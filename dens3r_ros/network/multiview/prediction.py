# SPDX-License-Identifier: Apache-2.0
"""What a network knows of several views of a scene after it has looked at them together."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class ViewsPrediction:
    """Maps and cameras of S views of each of B scenes; whatever was not computed is None.

    There may be maps of fewer views than there are cameras, where fewer were asked for.

    depth             (B, S, H, W) float32 z-depth in a unit of the scene's own
    confidence        (B, S, H, W) float32 of the depth, 1 (none) to infinity
    pose_encoding     (B, S, 9) float32: the cameras as the network gives them
    T_world_camera    (B, S, 4, 4) float32: takes points in a camera to the scene's world, which is
                      near the optical frame of the reference view but is not made to be it
    intrinsics        (B, S, 3, 3) float32, pixels
    rays              (B, S, h, w, 6) float32: direction (not of unit length: depth times direction
                      plus origin is the point), then origin, both in the world
    rays_confidence   (B, S, h, w) float32
    points            (B, S, H, W, 3) float32, in the world
    points_confidence (B, S, H, W) float32
    reference         (B,) index of the reference view
    """

    depth: Tensor | None = None
    confidence: Tensor | None = None
    pose_encoding: Tensor | None = None
    T_world_camera: Tensor | None = None
    intrinsics: Tensor | None = None
    rays: Tensor | None = None
    rays_confidence: Tensor | None = None
    points: Tensor | None = None
    points_confidence: Tensor | None = None
    reference: Tensor | None = None
