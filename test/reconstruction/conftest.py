# SPDX-License-Identifier: Apache-2.0
"""One small reconstruction with everything that can be asked for, made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.mapping.config import GraphConfig, KeyframeConfig, MapperConfig
from dens3r_ros.reconstruction.pipeline.options import Options, ReconstructOptions
from dens3r_ros.reconstruction.pipeline.run import FinishedRun, Reconstruction
from dens3r_ros.sources.inputs.input import SourceInput

MAPPER = MapperConfig(
    graph=GraphConfig(child_process=False), keyframes=KeyframeConfig(min_matched=0.8)
)


@contextmanager
def quiet(name: str, total: float | None) -> Iterator[Any]:
    """Progress that nobody looks at."""
    yield lambda done, total=None, note="": None


@dataclass(frozen=True)
class Made:
    """A finished reconstruction, its folder, and what is true of it."""

    out: Path
    room: Any
    finished: FinishedRun


@pytest.fixture(scope="session")
def reconstruct() -> Callable[..., FinishedRun]:
    """Reconstructs a source into a folder."""

    def run(source: Any, out: Path, engine: Any = None, **options: Any) -> FinishedRun:
        stop, watchers = options.pop("stop", None), options.pop("watchers", ())
        engine = engine or OracleEngine(source, long_side=160, metric=True)
        wanted = Options(out, options.pop("mapper", MAPPER), **options)
        return Reconstruction([SourceInput(source)], engine, wanted, quiet, stop, watchers).run()

    return run


@pytest.fixture(scope="session")
def mapper_settings() -> MapperConfig:
    """With which all of these run."""
    return MAPPER


@pytest.fixture(scope="session")
def made(walk: Any, reconstruct: Callable[..., FinishedRun], tmp_path_factory: Any) -> Made:
    """The walk through the box room, whose lengths are metres."""
    out = tmp_path_factory.mktemp("reconstruction") / "room"
    pytest.importorskip("open3d", reason="needs open3d")
    pytest.importorskip("rosbags", reason="needs rosbags")
    asked = ReconstructOptions(depth=True, normals=True, mesh=True, splats=True, mcap=True)
    return Made(out, walk, reconstruct(walk, out, asked=asked))


@pytest.fixture(scope="session")
def in_room() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Takes points of the scene to the room, by the trajectory; (N,) distances to its walls."""
    half = np.array([3.0, 1.5, 4.0])

    def distances(points: np.ndarray, S_room_scene: np.ndarray) -> np.ndarray:
        placed = points @ S_room_scene[:3, :3].T + S_room_scene[:3, 3]
        return np.abs(half - np.abs(placed)).min(1)

    return distances
