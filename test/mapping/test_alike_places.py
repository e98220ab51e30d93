# SPDX-License-Identifier: Apache-2.0
"""A lost camera in a room that is cut like one it knows: if this fails, it is placed in the wrong
room, and two rooms are laid over each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from mapped_walks import INLINE, oracle

from dens3r_ros.frame import Frame
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.streams.stream import Stream


def found(mapper: Mapper, frame: Frame) -> bool:
    """Whether a frame that nothing leads to is found at one of the keyframes."""
    world = mapper._session.world
    features = world.parts.engine.encode([frame])[0]
    view = Stream(frame.camera).view(features)
    return world.loops.relocalise(features, view, list(world.graph.poses)) is not None


def test_geometry_that_fits_is_not_believed_where_the_image_shows_something_else(walk) -> None:
    with Mapper(oracle(walk), INLINE) as mapper:
        for index in range(12):
            mapper.step(walk[index])
        mapper.finish()
        known = walk[6]
        papered = replace(known, image=np.ascontiguousarray(known.image[:, ::-1]))
        assert found(mapper, known)
        assert not found(mapper, papered)
