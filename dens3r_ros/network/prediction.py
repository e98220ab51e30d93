# SPDX-License-Identifier: Apache-2.0
"""What is known of a pair of images after a network, or any other engine, has looked at it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class PairPrediction:
    """Maps of both views a and b of a batch of pairs; whatever was not computed is None.

    points_a, points_b          (B, H, W, 3) float32, both in a's optical frame; metres where the
                                engine is metric, else a unit of the pair's own
    confidence_a, confidence_b  (B, H, W) float32, 1 (none) to infinity
    normals_a, normals_b        (B, H, W, 3) float32 unit vectors, each in its own optical frame
    descriptors_a, descriptors_b                        (B, H, W, D) float32 unit vectors
    descriptor_confidence_a, descriptor_confidence_b    (B, H, W) float32
    pixels_b_in_a               (B, H_b, W_b, 2) float32: where each pixel of b lies in a (x, y),
                                for engines that know correspondences
    pixels_confidence           (B, H_b, W_b) float32, 1 (none) to infinity
    pixels_alike                (B, H_b, W_b) bool: whether what lies there looks the same; where it
                                does not, as along bare walls, it may lie elsewhere near by
    """

    points_a: Tensor | None = None
    points_b: Tensor | None = None
    confidence_a: Tensor | None = None
    confidence_b: Tensor | None = None
    normals_a: Tensor | None = None
    normals_b: Tensor | None = None
    descriptors_a: Tensor | None = None
    descriptors_b: Tensor | None = None
    descriptor_confidence_a: Tensor | None = None
    descriptor_confidence_b: Tensor | None = None
    pixels_b_in_a: Tensor | None = None
    pixels_confidence: Tensor | None = None
    pixels_alike: Tensor | None = None
