# SPDX-License-Identifier: Apache-2.0
"""If these fail, the rates and latencies in the status are not those of the node."""

import threading

from dens3r_ros.nodes.inputs.statistics import Durations, FrameCounts, Rate


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


def test_a_report_does_not_stumble_over_what_is_counted_meanwhile() -> None:
    durations, rate, counts = Durations(), Rate(), FrameCounts()
    done = threading.Event()

    def count() -> None:
        for number in range(2_000):
            durations.add(f"stage {number}", 1.0)
            rate.tick(float(number))
            counts.drop(f"reason {number}")
        done.set()

    thread = threading.Thread(target=count)
    thread.start()
    while not done.is_set():
        durations.percentiles()
        rate.per_second(1e4, window_s=1e4)
        assert all(counts.dropped.values())
    thread.join()
    assert sum(counts.dropped.values()) == 2_000
