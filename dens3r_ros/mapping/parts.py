# SPDX-License-Identifier: Apache-2.0
"""The parts of a map that can be swapped, as they are unless somebody swaps them."""

from __future__ import annotations

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.mapping.archive.archive import Archive
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.keyframes.keyframing import KeyframeMaker
from dens3r_ros.mapping.keyframes.levelling import CameraLeveller
from dens3r_ros.mapping.places.place import Places
from dens3r_ros.mapping.world import Parts


def usual_parts(engine: Engine, config: MapperConfig) -> Parts:
    """Parts for one new map, which start empty."""
    metric = engine.info.metric if config.scale == "auto" else config.scale == "metric"
    return Parts(
        engine,
        config,
        metric,
        KeyframeMaker(engine, config, metric),
        Places(),
        Archive(engine, config.archive),
        CameraLeveller(config.levelling),
    )
