# SPDX-License-Identifier: Apache-2.0
"""Which walks have something that moves in them, and what."""

from __future__ import annotations

from dens3r_ros.scenes.moving.cast import Actor, Movers
from dens3r_ros.scenes.moving.door import door_movers, door_screens
from dens3r_ros.scenes.moving.indoors import people_in_hall, screens_in_hall
from dens3r_ros.scenes.moving.street import traffic
from dens3r_ros.scenes.trajectory import Trajectory

_MOVERS = {"crowd": people_in_hall, "door": door_movers, "street-cars": traffic}
_SCREENS = {"crowd": screens_in_hall, "door": door_screens}


def cast_of(kind: str, seed: int, trajectory: Trajectory, moving: bool = True) -> Movers | None:
    """What moves or changes in a walk of a kind; without `moving` only what changes. None where
    that is nothing."""
    actors: list[Actor] = list(_SCREENS[kind](seed)) if kind in _SCREENS else []
    if moving and kind in _MOVERS:
        actors += _MOVERS[kind](seed, trajectory).actors
    return Movers(tuple(actors)) if actors else None
