# SPDX-License-Identifier: Apache-2.0
"""Pairs of a run of images that lie near to each other in time, as the images come."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dens3r_ros.engines.protocol import Engine, Features
from dens3r_ros.frame import Frame

OFFSETS = (1, 3, 5, 7, 9)
"""How far apart the images of a pair are; every pair is looked at both ways."""
FEWEST = 4
"""Images of which each has two partners."""


class TooFewImages(ValueError):
    """A run is too short to tell what moves in it."""


@dataclass(frozen=True, eq=False)
class Arrival:
    """One image more: its number, its features (None after the last), the earlier ones that it
    makes a pair with, by number, and the images all of whose pairs have come with it."""

    number: int
    features: Features | None
    partners: dict[int, Features]
    finished: tuple[int, ...]


def arrivals(engine: Engine, frames: Iterable[Frame]) -> Iterator[Arrival]:
    """Each image once, encoded; TooFewImages where there are fewer than `FEWEST`."""
    recent: OrderedDict[int, Features] = OrderedDict()
    number = -1
    for number, frame in enumerate(frames):
        features = engine.encode([frame])[0]
        partners = {number - d: recent[number - d] for d in OFFSETS if number - d in recent}
        recent[number] = features
        finished: tuple[int, ...] = ()
        if len(recent) > OFFSETS[-1]:
            finished = (recent.popitem(last=False)[0],)
        yield Arrival(number, features, partners, finished)
    if number + 1 < FEWEST:
        raise TooFewImages(
            f"{number + 1} image(s) are too few to tell what moves: {FEWEST} at least are needed"
        )
    yield Arrival(number + 1, None, {}, tuple(recent))
