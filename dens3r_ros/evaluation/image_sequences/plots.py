# SPDX-License-Identifier: Apache-2.0
"""Pictures of a sequence's errors that a person can read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from dens3r_ros.evaluation.image_sequences.scoring import Measured

_TRUE, _FOUND = "#444444", "#d95f02"


def write_plots(measured: Measured, folder: Path) -> Path:
    """One picture a sequence: its path from above, its errors and its costs over time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(13, 9), layout="constrained")
    _path(axes[0, 0], measured)
    _position_errors(axes[0, 1], measured)
    _depth_errors(axes[1, 0], measured)
    _costs(axes[1, 1], measured)
    figures, errors = measured.figures, measured.errors
    figure.suptitle(
        f"{figures['sequence']}, {figures['engine']} engine: error {errors.ate_sim3_m:.3f} m over"
        f" {errors.path_m:.1f} m, {figures['keyframes']} keyframes, {figures['loops']} loops"
    )
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.=-]+", "-", f"{figures['sequence']}-{figures['engine']}")
    path = folder / f"{name}.png"
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path


def _path(axes: Any, measured: Measured) -> None:
    """Both paths in the plane in which the true one spreads most."""
    truth, found = measured.truth, measured.errors.aligned
    axes.set_title("Path, seen along the direction in which it spreads least")
    axes.set_xlabel("metres")
    axes.set_ylabel("metres")
    if len(truth) < 3:
        return
    middle = truth.mean(0)
    plane = np.linalg.svd(truth - middle, full_matrices=False)[2][:2].T
    flat_truth, flat_found = (truth - middle) @ plane, (found - middle) @ plane
    axes.plot(*flat_truth.T, color=_TRUE, lw=2, label="truth")
    axes.plot(*flat_found.T, color=_FOUND, lw=1.2, label="mapped")
    for a, b in zip(flat_truth[::10], flat_found[::10], strict=True):
        axes.plot(*np.stack((a, b)).T, color=_FOUND, lw=0.6, alpha=0.6)
    axes.plot(*flat_truth[0], "o", color=_TRUE, label="start")
    axes.set_aspect("equal", "datalim")
    axes.legend()


def _position_errors(axes: Any, measured: Measured) -> None:
    errors = measured.errors.errors
    axes.set_title("Distance from the truth after Sim(3) alignment")
    axes.set_xlabel("seconds")
    axes.set_ylabel("centimetres")
    if not errors.size:
        return
    seconds = measured.stamps - measured.stamps[0]
    axes.plot(seconds, 100 * errors, color=_FOUND, lw=1)
    rms = 100 * measured.errors.ate_sim3_m
    axes.axhline(rms, color=_TRUE, lw=1, ls="--", label=f"root mean square {rms:.1f} cm")
    axes.set_ylim(bottom=0)
    axes.legend()


def _depth_errors(axes: Any, measured: Measured) -> None:
    axes.set_title("Median relative depth error of single frames")
    axes.set_xlabel("frame")
    axes.set_ylabel("percent")
    if measured.depth_errors.size:
        frames, errors = measured.depth_errors.T
        axes.plot(frames, 100 * errors, color=_FOUND, lw=1)
        axes.set_ylim(bottom=0)


def _costs(axes: Any, measured: Measured) -> None:
    """Milliseconds by stage, stacked, averaged to at most some hundred steps."""
    timings = measured.timings
    stages = sorted({stage for timing in timings for stage in timing})
    spent = np.array([[timing.get(stage, 0.0) for stage in stages] for timing in timings])
    blocks = max(1, len(spent) // 100)
    kept = len(spent) // blocks * blocks
    mean = spent[:kept].reshape(-1, blocks, len(stages)).mean(1)
    axes.set_title(f"Milliseconds by stage, means of {blocks} frame(s)")
    axes.stackplot(np.arange(len(mean)) * blocks, mean.T, labels=stages)
    axes.set_ylim(0, 1.3 * float(np.percentile(mean.sum(1), 98)))
    axes.set_xlabel("frame")
    axes.set_ylabel("milliseconds")
    axes.legend(loc="upper left", fontsize=8)
