# SPDX-License-Identifier: Apache-2.0
"""Photos of a hall as people take them: in no order, far apart, with several lenses, and some of
other places among them.

Every photo but the first is taken within some steps of an earlier one and looks about the same way,
so that all of one hall hang together. Every `STRANGER`-th photo is of a hall of its own, `APART`
metres from the others in truth, where nothing overlaps anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.scenes.cameras import clearance, nearest_hit
from dens3r_ros.scenes.looks.lens import steady_lens
from dens3r_ros.scenes.moving.seen import still
from dens3r_ros.scenes.rays.render import render
from dens3r_ros.scenes.sight import as_bytes, in_sight, view_of
from dens3r_ros.scenes.trajectory import Trajectory
from dens3r_ros.scenes.walk import WalkFrame
from dens3r_ros.scenes.worlds.building import HALL, Building, build_hall

VIEWS = (52.0, 64.0, 78.0)
"""Degrees that the lenses span across."""
STRANGER = 10
APART = 1000.0
_STEP = (0.6, 2.0)
"""Metres from the earlier photo that one is taken near."""
_TURN = 22.0
"""Degrees of deviation of where it looks from that."""
_HEIGHT = (1.2, 1.9)
_NEAREST = 0.6
_AHEAD = 2.2
"""Metres that a view must be free ahead, for most of it."""
_TRIES = 400


@dataclass(frozen=True, eq=False)
class PhotoWalk:
    """N photos: of which hall each is, with which lens and from where.

    hall (N,) whole numbers, 0 the one that most show; poses (N, 4, 4) in the world, where halls
    lie apart.
    """

    seed: int
    hall: np.ndarray
    cameras: tuple[Intrinsics, ...]
    poses: np.ndarray

    def __len__(self) -> int:
        return len(self.hall)

    def render(self, index: int) -> WalkFrame:
        """The photo at `index`, alone."""
        place = int(self.hall[index])
        T = self.poses[index].copy()
        T[0, 3] -= APART * place
        views = view_of(self.cameras[index], T)
        with torch.no_grad():
            worlds = in_sight(_hall(self.seed, place), views)
            seen = render(worlds, views, steady_lens(self.seed, index))
        depth = seen.depth[0].numpy()
        nothing = np.full(depth.shape, -1)
        return WalkFrame(
            as_bytes(seen.image[0]),
            depth,
            seen.normals[0].numpy(),
            self.poses[index],
            still((depth.shape[0], depth.shape[1])),
            nothing,
        )


@lru_cache(maxsize=2)
def _hall(seed: int, place: int) -> Building:
    return build_hall(seed + 7919 * place)


def photo_walk(seed: int = 0, count: int = 60, width: int = 320, height: int = 240) -> PhotoWalk:
    """A collection; one in ten photos is of another place, one lens of three took each."""
    if count < 1:
        raise ValueError(f"a collection has at least one photo, not {count}")
    random = np.random.RandomState(seed)
    hall = np.zeros(count, int)
    strange = np.arange(count) % STRANGER == STRANGER - 1
    hall[strange] = 1 + np.arange(strange.sum())
    places = {int(place): _standing(seed, int(place), hall, random) for place in np.unique(hall)}
    poses = np.zeros((count, 4, 4))
    for place, T in places.items():
        poses[hall == place] = T
    poses[:, 0, 3] += APART * hall
    lens = [_lens(VIEWS[n], width, height) for n in random.randint(len(VIEWS), size=count)]
    order = random.permutation(count)
    return PhotoWalk(seed, hall[order], tuple(lens[n] for n in order), poses[order])


def _lens(view: float, width: int, height: int) -> Intrinsics:
    focal = float(0.5 * width / np.tan(0.5 * np.radians(view)))
    return Intrinsics(focal, focal, 0.5 * (width - 1), 0.5 * (height - 1), width, height)


def _standing(seed: int, place: int, hall: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """(M, 4, 4) poses in a hall of all photos that are of it."""
    building = _hall(seed, place)
    found: list[np.ndarray] = []
    for _ in range(int((hall == place).sum())):
        for _ in range(_TRIES):
            tried = _next_to(found, random)
            if _free(building, tried):
                break
        else:
            raise ValueError(f"hall {place} of seed {seed} is too full to take photos in")
        found.append(tried)
    position, yaw, pitch, roll = (np.array([one[part] for one in found]) for part in _PARTS)
    return Trajectory(position, yaw, pitch, roll).poses()


_PARTS = (slice(0, 3), 3, 4, 5)


def _next_to(found: list[np.ndarray], random: np.random.RandomState) -> np.ndarray:
    """(6,) position, yaw, pitch and roll: near one of those that are there, the first anywhere."""
    roll = np.radians(random.normal(0, 2))
    height, pitch = random.uniform(*_HEIGHT), np.radians(random.normal(-5, 4))
    if not found:
        at = random.uniform(-0.3, 0.3, 2) * HALL[:2]
        return np.array([*at, height, random.uniform(-np.pi, np.pi), pitch, roll])
    near = found[random.randint(len(found))]
    angle, step = random.uniform(-np.pi, np.pi), random.uniform(*_STEP)
    at = near[:2] + step * np.array([np.cos(angle), np.sin(angle)])
    return np.array([*at, height, near[3] + np.radians(random.normal(0, _TURN)), pitch, roll])


def _free(building: Building, tried: np.ndarray) -> bool:
    """Whether a person can stand there and sees more than the nearest wall."""
    if (np.abs(tried[:2]) > 0.5 * np.array(HALL[:2]) - _NEAREST).any():
        return False
    at = torch.tensor(tried[None, None, :3], dtype=torch.float32)
    solid = clearance(building.worlds.shapes, at)
    angles = tried[3] + np.radians(np.linspace(-25, 25, 7))
    rays = np.stack((np.cos(angles), np.sin(angles), np.full(7, np.tan(tried[4]))), -1)
    hits = nearest_hit(building.worlds, at, torch.tensor(rays[None, None], dtype=torch.float32))
    ahead = hits[0, 0].median()
    return bool(solid > 0.25) and bool(ahead > _AHEAD) and bool(hits.min() > _NEAREST)
