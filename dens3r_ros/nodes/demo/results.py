# SPDX-License-Identifier: Apache-2.0
"""What the demo leaves behind: figures, trajectory and map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.nodes.demo.alignment import aligned_error, path_length


def summary(
    status: Any, poses: dict[int, np.ndarray], truth: dict[int, np.ndarray], seconds: float
) -> dict[str, float | int | None]:
    """The figures of a run, by the names of `summary.json`; None where nothing is known.

    `fps` counts frames that have a pose in the end; those processed while lost have none.
    """
    latency = dict(
        zip(
            status.stages,
            zip(status.latency_p50_ms, status.latency_p95_ms, strict=True),
            strict=True,
        )
    )
    p50, p95 = latency.get("total", (None, None))
    error = aligned_error(poses, truth)
    return {
        "frames_in": status.images_received,
        "processed": status.images_processed,
        "dropped": status.images_dropped,
        "fps": len(poses) / seconds if seconds else 0.0,
        "latency_p50_ms": p50,
        "latency_p95_ms": p95,
        "keyframes": status.keyframes_in_window + status.keyframes_in_archive,
        "loops": status.loops,
        "path_m": path_length(truth) if truth else None,
        "ate_m": error,
        "map_points": status.map_points,
        "seconds": seconds,
    }


def write_summary(path: Path, values: dict[str, float | int | None]) -> None:
    """`summary.json`."""
    path.write_text(json.dumps(values, indent=2) + "\n")


def write_trajectory(path: Path, poses: dict[int, np.ndarray]) -> None:
    """Camera-to-map poses in TUM's layout: stamp in seconds, position, quaternion."""
    lines = []
    for stamp, T in sorted(poses.items()):
        numbers = [*T[:3, 3], *Rotation.from_matrix(T[:3, :3]).as_quat()]
        lines.append(
            f"{stamp // 10**9}.{stamp % 10**9:09d} " + " ".join(f"{n:.6f}" for n in numbers)
        )
    path.write_text("".join(line + "\n" for line in lines))
