# SPDX-License-Identifier: Apache-2.0
"""From what was noted while the node ran to the figures that are told."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Arrivals = Mapping[str, Sequence[tuple[int, int]]]
"""Topic to (stamp, time of arrival) of its messages, nanoseconds."""
WARM = 500
"""Frames after which memory is taken to have settled."""


@dataclass
class Memory:
    """(frames processed, resident bytes) of the node as time went by."""

    samples: list[tuple[int, int]] = field(default_factory=list)

    def note(self, frames: int, pid: int) -> None:
        """What a process holds now, where that can be read."""
        file = Path(f"/proc/{pid}/statm")
        if file.is_file():
            pages = int(file.read_text().split()[1])
            self.samples.append((frames, pages * os.sysconf("SC_PAGE_SIZE")))

    def growth_percent(self) -> float:
        """From the first samples after `WARM` frames to the last ones; NaN where too few came."""
        settled = [size for frames, size in self.samples if frames >= WARM]
        if len(settled) < 6:
            return float("nan")
        return 100 * (float(np.median(settled[-3:]) / np.median(settled[:3])) - 1)

    def last_mib(self) -> float:
        """At the end."""
        return self.samples[-1][1] / 2**20 if self.samples else float("nan")


def accounting(sent: Sequence[int], processed: int, arrivals: Arrivals) -> dict[str, Any]:
    """Of all topics together: outputs lost, repeated, and of no image that was sent.

    `sent` are stamps, of which `processed` were worked on: each owes one output on every topic.
    """
    lost: dict[str, int] = {}
    repeated = foreign = 0
    for topic, messages in arrivals.items():
        stamps = [stamp for stamp, _ in messages]
        of_images = set(stamps) & set(sent)
        lost[topic] = processed - len(of_images)
        repeated += len(stamps) - len(set(stamps))
        foreign += len(set(stamps) - of_images)
    return {
        "outputs_expected": processed * len(arrivals),
        "outputs_lost": sum(lost.values()),
        "outputs_lost_by_topic": lost,
        "outputs_repeated": repeated,
        "outputs_of_no_image": foreign,
    }


def latencies(arrivals: Arrivals) -> dict[str, float]:
    """Milliseconds from an image's stamp to the arrival of the last of its outputs."""
    last: dict[int, int] = {}
    for messages in arrivals.values():
        for stamp, arrived in messages:
            last[stamp] = max(arrived, last.get(stamp, 0))
    if not last:
        return {"latency_p50_ms": float("nan"), "latency_p95_ms": float("nan")}
    values = [(arrived - stamp) * 1e-6 for stamp, arrived in last.items()]
    return {
        "latency_p50_ms": float(np.percentile(values, 50)),
        "latency_p95_ms": float(np.percentile(values, 95)),
    }


def stage_figures(status: Any, stages: Sequence[str], prefix: str = "") -> dict[str, float]:
    """Milliseconds of some stages of a Status, median and 95th percentile; NaN where missing."""
    figures = {}
    for name in stages:
        known = name in status.stages
        at = list(status.stages).index(name) if known else 0
        for share, values in (("p50", status.latency_p50_ms), ("p95", status.latency_p95_ms)):
            figures[f"{prefix}{name}_ms_{share}"] = float(values[at]) if known else float("nan")
    return figures


def live_figures(
    status: Any, arrivals: Sequence[tuple[int, int]], computed_s: float
) -> dict[str, Any]:
    """What came of the images of a camera that does not wait: by the node's last status, the
    (stamp, arrival) of every odometry in nanoseconds, and the CPU seconds that the node used."""
    delays = [(arrived - stamp) * 1e-6 for stamp, arrived in arrivals]
    stamps = [stamp for stamp, _ in arrivals]
    seconds = (max(stamps) - min(stamps)) * 1e-9 if len(stamps) > 1 else float("nan")
    latency = {
        f"latency_p{share}_ms": float(np.percentile(delays, share)) if delays else float("nan")
        for share in (50, 95, 99)
    }
    computed = dict(zip(status.stages, status.computed_ms, strict=True))
    return {
        "images_received": status.images_received,
        "images_processed": status.images_processed,
        "images_dropped": status.images_dropped,
        "images_with_a_pose": len(stamps),
        "epochs": 1 + status.epoch,
        "tracked_per_second": (len(stamps) - 1) / seconds if stamps else 0.0,
        "decoded": status.images_decoded,
        "decoded_per_second": status.images_decoded / seconds,
        **latency,
        "cpu_ms_an_image": 1e3 * computed_s / max(status.images_received, 1),
        "cpu_ms_an_image_by_stage": {name: float(ms) for name, ms in computed.items() if ms},
    }
