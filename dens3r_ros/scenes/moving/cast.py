# SPDX-License-Identifier: Apache-2.0
"""Actors made of rigid parts, put into a world as it is at a time, and how their points move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dens3r_ros.scenes.rays.primitives import KINDS, Builder, Primitives, together
from dens3r_ros.scenes.rays.world import Worlds

STILL = 0.05
"""An actor none of whose parts is faster counts as standing, metres a second."""
_HALF_STEP = 1.0 / 60.0
"""Velocities are differences over twice this, seconds."""


@dataclass(frozen=True, eq=False)
class MoverPart:
    """A rigid shape: kind, reach (3,) along its own axes in metres, and looks (M,)."""

    kind: int
    half: tuple[float, float, float]
    material: Tensor


class Actor(Protocol):
    """Parts that move together, or one whose look changes."""

    parts: Sequence[MoverPart]

    def poses(self, seconds: float) -> np.ndarray:
        """(P, 4, 4) float64 T_world_part."""
        ...

    def materials(self, seconds: float) -> Tensor:
        """(P, M): how the parts look now."""
        ...


class SteadyLooks:
    """Of actors whose parts always look the same."""

    parts: Sequence[MoverPart]

    def materials(self, seconds: float) -> Tensor:
        """(P, M): how the parts look now."""
        return torch.stack([part.material for part in self.parts])


@dataclass(frozen=True, eq=False)
class Movers:
    """All that moves or changes in one world."""

    actors: tuple[Actor, ...]

    @cached_property
    def _order(self) -> np.ndarray:
        """Which part, in the actors' order, each slot holds: slots are sorted by kind."""
        kinds = [part.kind for actor in self.actors for part in actor.parts]
        return np.argsort(kinds, kind="stable")

    @cached_property
    def owner(self) -> np.ndarray:
        """(P,) number of the actor that each slot belongs to."""
        counts = [len(actor.parts) for actor in self.actors]
        return np.repeat(np.arange(len(counts)), counts)[self._order]

    @cached_property
    def _at_rest(self) -> Primitives:
        builder = Builder(1, torch.device("cpu"))
        for actor in self.actors:
            for part in actor.parts:
                half = torch.tensor([[part.half]])
                builder.add(part.kind, torch.zeros(1, 1, 3), half, part.material[None, None])
        return builder.finish()

    def poses(self, seconds: float) -> np.ndarray:
        """(P, 4, 4) float64 T_world_part of each slot."""
        return np.concatenate([actor.poses(seconds) for actor in self.actors])[self._order]

    def shapes(self, seconds: float) -> Primitives:
        """The shapes of one world, as they are now."""
        T = torch.from_numpy(self.poses(seconds)).float()[None]
        looks = torch.cat([actor.materials(seconds) for actor in self.actors])[self._order]
        rest = self._at_rest
        return replace(rest, centre=T[..., :3, 3], rotation=T[..., :3, :3], material=looks[None])

    def placed_in(self, worlds: Worlds, seconds: float) -> tuple[Worlds, np.ndarray]:
        """The world with them in it, and (S,) their slot that each of its slots holds, -1 for the
        world's own; the last one is the terrain's."""
        own = self.shapes(seconds)
        parts: list[np.ndarray] = []
        for kind in KINDS:
            parts.append(np.full(worlds.shapes.counts[kind], -1))
            parts.append(np.arange(own.counts[kind]) + own.slots(kind).start)
        whole = replace(worlds, shapes=together(worlds.shapes, own))
        return whole, np.concatenate((*parts, [-1]))

    def moves(self, seconds: float) -> np.ndarray:
        """(P,) bool: whether the actor of each slot moves now."""
        before, after = (self.poses(seconds + step) for step in (-_HALF_STEP, _HALF_STEP))
        # A turning part's far end counts too: one half-reach along each axis.
        reach = self._at_rest.half[0].double().numpy()
        ends = np.abs(after[:, :3, :3] - before[:, :3, :3]) @ reach[..., None]
        shift = np.linalg.norm(after[:, :3, 3] - before[:, :3, 3], axis=1)
        fast = (shift + np.linalg.norm(ends[..., 0], axis=1)) / (2 * _HALF_STEP) > STILL
        actors = np.zeros(len(self.actors), bool)
        np.logical_or.at(actors, self.owner, fast)
        return actors[self.owner]

    def carried(
        self, points: np.ndarray, slot: np.ndarray, seconds: float, until: float
    ) -> np.ndarray:
        """(N, 3) float64: where world points on the parts (N,) are at another time."""
        T = self.poses(until) @ np.linalg.inv(self.poses(seconds))
        chosen = T[slot]
        return np.einsum("nij,nj->ni", chosen[:, :3, :3], points) + chosen[:, :3, 3]

    def velocity(self, points: np.ndarray, slot: np.ndarray, seconds: float) -> np.ndarray:
        """(N, 3) float64 metres a second of world points on the parts (N,)."""
        before, after = (
            self.carried(points, slot, seconds, seconds + step)
            for step in (-_HALF_STEP, _HALF_STEP)
        )
        return (after - before) / (2 * _HALF_STEP)


def pose(
    position: Sequence[float | np.ndarray] | np.ndarray = (0, 0, 0),
    rotation: np.ndarray | None = None,
) -> np.ndarray:
    """(..., 4, 4) float64 from a place, (..., 3) or its three coordinates, and a turn."""
    place = at(*position) if isinstance(position, tuple) else np.asarray(position, float)
    shape = place.shape[:-1] if rotation is None else rotation.shape[:-2]
    T = np.zeros((*np.broadcast_shapes(shape, place.shape[:-1]), 4, 4))
    T[..., :3, :3] = np.eye(3) if rotation is None else rotation
    T[..., :3, 3], T[..., 3, 3] = place, 1.0
    return T


def at(*position: float | np.ndarray) -> np.ndarray:
    """(..., 3) from three coordinates, each a number or (...)."""
    return np.stack(np.broadcast_arrays(*position), -1).astype(float)


def turned(axis: str, angle: float | np.ndarray) -> np.ndarray:
    """(..., 3, 3) turn about x, y or z by (...) radians."""
    c, s = np.cos(angle), np.sin(angle)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    R = np.zeros((*np.shape(angle), 3, 3))
    R[..., 3 - i - j, 3 - i - j] = 1.0
    R[..., i, i], R[..., i, j], R[..., j, i], R[..., j, j] = c, -s, s, c
    return R
