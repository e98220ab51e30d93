# SPDX-License-Identifier: Apache-2.0
"""Which seeds are kept back, and what kept-back pairs are drawn from.

Seeds below 2^32 are held out and training uses those from 2^32 on, so that no pair can be in both.
The distribution below is written out in full, apart from the defaults that training may change,
and stays as it is, so that figures remain comparable.
"""

from __future__ import annotations

from dens3r_ros.scenes.pairs import SceneConfig

HELD_OUT_SEEDS = range(0, 1 << 32)
FIRST_TRAINING_SEED = HELD_OUT_SEEDS.stop
HELD_OUT_CONFIG = SceneConfig(
    field_of_view=(45.0, 100.0),
    same_view=0.03,
    worlds=(
        ("rooms", 0.32),
        ("corridors", 0.14),
        ("stairs", 0.1),
        ("outdoors", 0.24),
        ("compositions", 0.2),
    ),
)
