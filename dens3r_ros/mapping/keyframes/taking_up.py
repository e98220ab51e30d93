# SPDX-License-Identifier: Apache-2.0
"""Going on from an older keyframe that sees the same, in place of a new one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.graph.graph import rigid
from dens3r_ros.mapping.keyframes.window import left
from dens3r_ros.mapping.step import Step
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.observation import Observation, observe
from dens3r_ros.mapping.tracking.track import Track
from dens3r_ros.mapping.tracking.tracker import View

Tracked = Callable[[Observation, View, Keyframe, np.ndarray], Track | str]


def placed_at_older(
    step: Step,
    older: Keyframe,
    expected: np.ndarray,
    engine: Engine,
    tracked: Tracked,
    config: MapperConfig,
) -> np.ndarray | None:
    """T_older_frame of a frame that is `expected` (S_older_frame) there, if it can be placed with
    some reserve."""
    start = rigid(expected)
    step.lead_to(older, config.tracking, start)
    seen = observe(engine, [(step.features, older.features)])[0]
    found = tracked(seen, step.view, older, start)
    return (
        None
        if isinstance(found, str) or left(found, config.keyframes, step)
        else found.T_keyframe_frame
    )
