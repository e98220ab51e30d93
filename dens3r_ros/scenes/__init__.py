# SPDX-License-Identifier: Apache-2.0
"""Procedural worlds: images with exact depth, normals, poses and correspondence.

`sample_pairs(seeds, height, width, device)` renders pairs of views for training and evaluation.
"""

from dens3r_ros.scenes.pairs import PairBatch, SceneConfig, sample_pairs

__all__ = ["PairBatch", "SceneConfig", "sample_pairs"]
