# SPDX-License-Identifier: Apache-2.0
"""What moves as a network tells that was trained for it (DAS3R)."""

from __future__ import annotations

from collections.abc import Iterable

from dens3r_ros.engines.moving.masks import MovingMasks, name_of
from dens3r_ros.engines.moving.pairs import arrivals
from dens3r_ros.engines.moving.running import RunningMap
from dens3r_ros.engines.protocol import MotionTellingEngine
from dens3r_ros.frame import Frame

MOVING_FROM = 0.5


def masks_by_network(engine: MotionTellingEngine, frames: Iterable[Frame]) -> MovingMasks:
    """Masks of a run of images: of each, where the mean of what is told beside its neighbours is
    above one half."""
    masks, names = MovingMasks(), {}
    means: dict[int, RunningMap] = {}
    for arrival in arrivals(engine, frames):
        own = arrival.features
        if own is not None:
            names[arrival.number] = name_of(own.frame.image)
            for number, partner in arrival.partners.items():
                means.setdefault(arrival.number, RunningMap()).add(engine.moving(own, partner))
                means.setdefault(number, RunningMap()).add(engine.moving(partner, own))
        for number in arrival.finished:
            masks.put(names[number], means.pop(number).value > MOVING_FROM)
    return masks
