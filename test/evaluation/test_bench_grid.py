# SPDX-License-Identifier: Apache-2.0
"""If this fails, what a floor plan costs is not told, or nothing was drawn."""

from __future__ import annotations

from dens3r_ros.evaluation.bench_grid import bench_grid


def test_what_is_drawn_is_told_and_following_costs_less_than_all() -> None:
    figures = bench_grid(keyframes=40)
    assert figures["first_s"] > 0
    assert 0 < figures["following_ms"] < 1000 * figures["redraw_s"]
