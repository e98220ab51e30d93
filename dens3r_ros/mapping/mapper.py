# SPDX-License-Identifier: Apache-2.0
"""The whole interface of mapping: a frame in, an update out."""

from __future__ import annotations

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.update import KeyframeView, TimedPose, Update


class Mapper:
    """Builds one consistent world from the frames of one or several cameras."""

    def __init__(self, engine: Engine, config: MapperConfig | None = None) -> None:
        self.engine = engine
        self.config = config or MapperConfig()

    def step(self, frame: Frame) -> Update:
        """Take one frame in; frames of one camera come in the order of their stamps."""
        raise NotImplementedError

    def trajectory(self) -> list[TimedPose]:
        """The corrected pose of every frame that has one, in the order of the frames."""
        raise NotImplementedError

    def keyframes(self) -> list[KeyframeView]:
        """Every keyframe, archived ones included, oldest first."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget the map and begin a new epoch."""
        raise NotImplementedError

    def close(self) -> None:
        """End the solver's process; the mapper can still be read."""
        raise NotImplementedError

    def __enter__(self) -> Mapper:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
