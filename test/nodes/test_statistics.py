# SPDX-License-Identifier: Apache-2.0
"""If these fail, the rates and latencies in the status are not those of the node."""

from dens3r_ros.nodes.statistics import Durations, FrameCounts, Rate


def test_percentiles_by_stage() -> None:
    durations = Durations()
    for value in range(101):
        durations.add("engine", value)
    assert durations.percentiles() == {"engine": (50.0, 95.0)}


def test_rate_falls_to_zero_when_the_camera_stops() -> None:
    rate = Rate()
    for i in range(31):
        rate.tick(i / 30)
    assert abs(rate.per_second(1.0) - 30) < 1e-6
    assert rate.per_second(10.0) == 0.0


def test_no_drop_is_not_counted_as_a_reason() -> None:
    counts = FrameCounts()
    counts.drop("busy", 0)
    counts.drop("busy", 2)
    assert dict(counts.dropped) == {"busy": 2}
