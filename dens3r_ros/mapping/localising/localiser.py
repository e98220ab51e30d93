# SPDX-License-Identifier: Apache-2.0
"""Single images placed in a saved map."""

from __future__ import annotations

from dataclasses import replace

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.config import GraphConfig, MapperConfig
from dens3r_ros.mapping.files.map_file import LoadedMap, MapFileError
from dens3r_ros.mapping.files.saving import restored
from dens3r_ros.mapping.localising.opinions import Located
from dens3r_ros.mapping.localising.placer import Placer
from dens3r_ros.mapping.parts import usual_parts
from dens3r_ros.mapping.world import Parts


class Localiser:
    """Places images in a map that is loaded once and never changed by them.

    Any engine will do, also of another kind of lengths than the map's: the keyframes' depth is
    what tells them.
    """

    def __init__(
        self, loaded: LoadedMap, engine: Engine, config: MapperConfig | None = None
    ) -> None:
        check_keyframes(loaded)
        self.metric = loaded.info.metric
        session = restored(loaded, _parts(loaded, engine, config or MapperConfig()), 0)
        self.world = session.world
        self._placer = Placer(session.world, session.streams)

    def place(self, frame: Frame) -> Located | str:
        """Where an image was taken, or why that is not known; its stamp tells nothing."""
        return self._placer.place(frame)


def check_keyframes(loaded: LoadedMap) -> None:
    """MapFileError where there is nothing that an image could show too."""
    if not loaded.keyframes:
        raise MapFileError(f"{loaded.path} is a map without keyframes: nothing is to be found")


def _parts(loaded: LoadedMap, engine: Engine, config: MapperConfig) -> Parts:
    """Those of a map in its own kind of lengths, all keyframes kept, nothing solved."""
    scale = config.scale if engine.info.metric == loaded.info.metric else "free"
    archive = replace(config.archive, keyframes=max(10, len(loaded.keyframes)))
    graph = GraphConfig(child_process=False)
    config = replace(config, scale=scale, archive=archive, graph=graph)
    return replace(usual_parts(engine, config), metric=loaded.info.metric)
