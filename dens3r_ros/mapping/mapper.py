# SPDX-License-Identifier: Apache-2.0
"""The whole interface of mapping: a frame in, an update out."""

from __future__ import annotations

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.interfaces import KeyframeArchive, Leveller, PlaceIndex
from dens3r_ros.mapping.keyframing import KeyframeMaker
from dens3r_ros.mapping.reporting import keyframe_view
from dens3r_ros.mapping.session import Session
from dens3r_ros.mapping.update import KeyframeView, TimedPose, Update
from dens3r_ros.mapping.world import Parts


class Mapper:
    """Builds one consistent world from the frames of one or several cameras."""

    def __init__(
        self,
        engine: Engine,
        config: MapperConfig | None = None,
        places: PlaceIndex | None = None,
        archive: KeyframeArchive | None = None,
        leveller: Leveller | None = None,
    ) -> None:
        self.engine = engine
        self.config = config or MapperConfig()
        scale = self.config.scale
        self.metric = engine.info.metric if scale == "auto" else scale == "metric"
        maker = KeyframeMaker(engine, self.config, self.metric)
        self._parts = Parts(engine, self.config, self.metric, maker, places, archive, leveller)
        self._session = Session(self._parts, epoch=0)

    def step(self, frame: Frame) -> Update:
        """Take one frame in; frames of one camera come in the order of their stamps."""
        return self._session.take(frame)

    def trajectory(self) -> list[TimedPose]:
        """The corrected pose of every frame that has one, in the order of their stamps."""
        world = self._session.world
        placed = [record.placed(world.pose(record.keyframe_id)) for record in self._session.records]
        return sorted(placed, key=lambda pose: pose.stamp)

    def keyframes(self) -> list[KeyframeView]:
        """Every keyframe, archived ones included, oldest first."""
        world, archive = self._session.world, self._parts.archive
        views = [keyframe_view(keyframe, keyframe.id, world.graph) for keyframe in world.window]
        if archive is not None:
            gone = world.archived()
            views += [keyframe_view(archive.shown(i), i, world.graph) for i in gone]
        return sorted(views, key=lambda view: view.id)

    def finish(self) -> None:
        """Wait for the solves that are under way, and follow them."""
        self._session.world.backend.finish()

    def reset(self) -> None:
        """Forget the map and begin a new epoch."""
        self._session.world.backend.close()
        self._session = Session(self._parts, self._session.odometry.epoch + 1)

    def close(self) -> None:
        """End the solver's process; the mapper can still be read."""
        self._session.world.backend.close()

    def __enter__(self) -> Mapper:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
