# SPDX-License-Identifier: Apache-2.0
"""Engines by the names that the evaluation of pairs takes."""

from __future__ import annotations

from dens3r_ros.engines.loading import load_engine
from dens3r_ros.engines.protocol import Engine
from dens3r_ros.evaluation.baselines import BaselineEngine
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.sources.source import Source

BASELINES = ("constant", "plane")


def engine_named(name: str, model: str = "", max_side: int = 0) -> Engine:
    """A baseline, or what `load_engine` knows by that name; ValueError with a sentence if none.

    `max_side`: long side in pixels to work at, 0 the engine's own choice.
    """
    if name in BASELINES:
        return BaselineEngine(plane=name == "plane")
    return load_engine(name, model, max_side=max_side)


def judged_engine(
    name: str, model: str, source: Source, max_side: int = 0, seed: int = 0
) -> Engine:
    """The same, or "oracle", which knows the truth of a source."""
    if name == "oracle":
        return OracleEngine(source, seed=seed, long_side=max_side or 512)
    return engine_named(name, model, max_side)
