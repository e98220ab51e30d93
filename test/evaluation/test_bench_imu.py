# SPDX-License-Identifier: Apache-2.0
"""If this fails, what an IMU costs is not told, or that of another computation is."""

from __future__ import annotations

from dens3r_ros.evaluation.bench_imu import bench_imu


def test_every_part_of_the_cost_is_told() -> None:
    figures = bench_imu(rate=100.0, seconds=6.0)
    parts = [figures[f"{name}_percent"] for name in ("taking", "turning", "learning")]
    assert all(part > 0 for part in parts)
    assert abs(sum(parts) - figures["core_percent"]) < 1e-6
    assert not figures["scale_known"]
