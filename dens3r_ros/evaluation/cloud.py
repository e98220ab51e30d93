# SPDX-License-Identifier: Apache-2.0
"""The cloud that a demo left behind, against the true surface of what it was shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from dens3r_ros.evaluation.metrics.surface import SurfaceErrors, compare_surfaces, truth_points
from dens3r_ros.geometry.ply import read_ply
from dens3r_ros.geometry.registration import register_similarity
from dens3r_ros.sources.source import Source, SourceError


def cloud_errors(folder: Path, source: Source) -> SurfaceErrors:
    """Of map.ply, brought to metres by trajectory.tum and ground_truth.tum beside it."""
    found, wanted = _positions(folder / "trajectory.tum"), _positions(folder / "ground_truth.tum")
    both = sorted(found.keys() & wanted.keys())
    if not both:
        raise SourceError(f"{folder}: no pose of trajectory.tum has a stamp of ground_truth.tum.")
    S = register_similarity(
        torch.tensor(np.array([found[stamp] for stamp in both])),
        torch.tensor(np.array([wanted[stamp] for stamp in both])),
    ).numpy()
    points = read_ply(folder / "map.ply")[0].astype(np.float64)
    return compare_surfaces(points @ S[:3, :3].T + S[:3, 3], _true_surface(source))


def _positions(path: Path) -> dict[str, np.ndarray]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {line.split()[0]: np.array(line.split()[1:4], float) for line in lines}


def _true_surface(source: Source) -> np.ndarray:
    parts = []
    for index in range(len(source)):
        truth, camera = source.truth(index), source[index].intrinsics
        if truth is not None and camera is not None:
            parts.append(truth_points(truth, camera))
    surface = np.concatenate(parts) if parts else np.zeros((0, 3))
    if not len(surface):
        raise SourceError(f"{source.name} has no true depth to compare with.")
    return surface
