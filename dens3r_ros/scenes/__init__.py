# SPDX-License-Identifier: Apache-2.0
"""Procedural worlds: images with exact depth, normals, poses and correspondence.

`sample_pairs(seeds, height, width, device)` renders pairs of views for training and evaluation,
`sample_view_sets` several views of one world;
`open_walk("loop", seed=3, frames=2000)` is a camera walk, rendered frame by frame.
"""

from dens3r_ros.scenes.heldout import FIRST_TRAINING_SEED, HELD_OUT_CONFIG, HELD_OUT_SEEDS
from dens3r_ros.scenes.pairs import PairBatch, SceneConfig, sample_pairs
from dens3r_ros.scenes.view_sets import ViewSets, sample_view_sets
from dens3r_ros.scenes.walk import WALKS, Walk, WalkFrame, open_walk

__all__ = [
    "FIRST_TRAINING_SEED",
    "HELD_OUT_CONFIG",
    "HELD_OUT_SEEDS",
    "WALKS",
    "PairBatch",
    "SceneConfig",
    "ViewSets",
    "Walk",
    "WalkFrame",
    "open_walk",
    "sample_pairs",
    "sample_view_sets",
]
