# SPDX-License-Identifier: Apache-2.0
"""If this fails, it is not told how soon a camera that was carried in the dark goes on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dens3r_ros.evaluation.image_sequences.darkness import Darkness

S = 1_000_000_000


def test_times_count_from_the_light_and_from_what_is_seen_again() -> None:
    dark, updates, poses = Darkness(), [], {}
    lit = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    # Out to 10 m, dark from 3 to 5 s, back where it began from 8 s on.
    for n, x in enumerate([0, 0, 0, 3, 6, 9, 9, 6, 0, 0, 0]):
        black = 3 <= n < 5
        dark.see(n * S, np.zeros_like(lit) if black else lit)
        poses[n * S] = np.eye(4)
        poses[n * S][0, 3] = x
        placed = None if black or n == 5 else np.eye(4)
        counters = SimpleNamespace(pieces=2 if 6 <= n < 10 else 1)
        updates.append((n, SimpleNamespace(stamp=n * S, T_map_camera=placed, counters=counters)))
    figures = dark.figures(updates, poses)
    assert figures["placed_after_light_s"] == pytest.approx(1)
    assert figures["joined_after_seen_again_s"] == pytest.approx(2)


def test_nothing_is_told_where_it_never_was_dark() -> None:
    assert Darkness().figures([], {}) == {}
