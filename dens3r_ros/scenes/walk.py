# SPDX-License-Identifier: Apache-2.0
"""Camera walks through larger worlds, rendered frame by frame.

walk         round and round a furnished hall on a path that repeats after some 80 m
loop         round a ring corridor with look-alike rooms; the last frame stands where the first did
stairs       up a flight, round on the landing, down again, round in the hall
stop-and-go  the hall, walking 3 s and standing 2 s by turns
fast-turn    the hall, with a look back over the shoulder at 150 degrees a second every 5 s
drive        along streets, round a block
kidnapped    round in one room, 5 m in 2 s of darkness into another, round there, and back
crowd        the hall, as `walk`, among people who cover 15 to 40% of the view
door         two rooms, through a door that opens before the camera and closes behind it
street-cars  along a pavement at 1.2 m/s while cars, a bus and people pass

All at 30 frames a second and about 1 m/s (0.5 on stairs), but for the drive: 10 frames a second at
10 m/s. Every frame depends on the seed and its number alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.scenes import trajectory as t
from dens3r_ros.scenes.kidnapping import dark_frames, darkness, kidnapped
from dens3r_ros.scenes.looks.lens import steady_lens
from dens3r_ros.scenes.moving.cast import Movers
from dens3r_ros.scenes.moving.casting import cast_of
from dens3r_ros.scenes.moving.door import door_walk
from dens3r_ros.scenes.moving.seen import SeenMotion, pixels_of, seen_motion, still, world_points
from dens3r_ros.scenes.moving.street import pavement_walk
from dens3r_ros.scenes.rays.raycast import Views
from dens3r_ros.scenes.rays.render import render
from dens3r_ros.scenes.rays.world import Worlds
from dens3r_ros.scenes.sight import as_bytes, in_sight, view_of
from dens3r_ros.scenes.streets import BLOCK, build_streets
from dens3r_ros.scenes.worlds.building import (
    Building,
    build_floor,
    build_hall,
    build_stairwell,
    ring_of,
)
from dens3r_ros.scenes.worlds.stairs import STEPS, Flight

_EYE = 1.5
_LAP = (40.0, 130.0)
_SPEED, _DRIVE_RATE, _TURN = 10.0, 10.0, 9.0
"""Of the drive: metres and frames a second, and the radius of its turns in metres."""


@dataclass(frozen=True, eq=False)
class WalkFrame:
    """`image` (H, W, 3) uint8; `depth` (H, W) float32 metres; `normals` (H, W, 3); the pose; what
    moves; `part` (H, W) of the walk's movers that a pixel shows, -1 for none."""

    image: np.ndarray
    depth: np.ndarray
    normals: np.ndarray
    T_world_camera: np.ndarray
    motion: SeenMotion
    part: np.ndarray


@dataclass(frozen=True, eq=False)
class Walk:
    """A trajectory through a building, seen by one camera."""

    building: Building
    trajectory: t.Trajectory
    intrinsics: Intrinsics
    seed: int
    rate: float = t.RATE
    """Frames a second."""
    dark: range = range(0)
    """Frames that nothing is seen in."""
    movers: Movers | None = None
    """What moves or changes."""

    def __len__(self) -> int:
        return len(self.trajectory)

    def render(self, index: int) -> WalkFrame:
        """The frame at `index`, alone."""
        T = self.trajectory.poses()[index]
        size = self.intrinsics.height, self.intrinsics.width
        if index in self.dark:
            nothing = np.zeros((*size, 3), np.float32)
            dark = darkness(size, self.seed, index)
            part = np.full(size, -1)
            return WalkFrame(dark, nothing[..., 0], nothing, T, still(size), part)
        views = view_of(self.intrinsics, T)
        worlds, parts = self._world(views, index)
        with torch.no_grad():
            seen = render(worlds, views, steady_lens(self.seed, index))
        depth = seen.depth[0].numpy()
        part = parts[seen.slot[0].numpy()]
        return WalkFrame(
            as_bytes(seen.image[0]),
            depth,
            seen.normals[0].numpy(),
            T,
            self._motion(part, depth, T, index),
            part,
        )

    def _world(self, views: Views, index: int) -> tuple[Worlds, np.ndarray]:
        """The world as it is at a frame, and the mover's part that each slot holds; the last is
        also that of the sky, -1."""
        worlds = in_sight(self.building, views)
        if self.movers is None:
            return worlds, np.full(sum(worlds.shapes.counts) + 1, -1)
        return self.movers.placed_in(worlds, index / self.rate)

    def _motion(self, part: np.ndarray, depth: np.ndarray, T: np.ndarray, index: int) -> SeenMotion:
        if self.movers is None:
            return still((depth.shape[0], depth.shape[1]))
        points = world_points(depth, self.intrinsics, T)
        return seen_motion(self.movers, part, points, T, index / self.rate)

    def flow(self, frame: WalkFrame, index: int, other: int) -> np.ndarray:
        """(H, W, 2) float64 pixels from where `frame`, the one at `index`, shows a surface to
        where that is at `other`, hidden or not; NaN for sky, and where it is behind the camera."""
        points = world_points(frame.depth, self.intrinsics, frame.T_world_camera)
        own = frame.part >= 0
        if self.movers is not None and own.any():
            points[own] = self.movers.carried(
                points[own], frame.part[own], index / self.rate, other / self.rate
            )
        points[frame.depth <= 0.0] = np.nan
        v, u = np.mgrid[: points.shape[0], : points.shape[1]]
        there = pixels_of(points, self.intrinsics, self.trajectory.poses()[other])
        return there - np.stack((u, v), -1)


def _loop(seed: int, frames: int) -> tuple[Building, t.Trajectory]:
    random = np.random.RandomState(seed)
    metres = frames / t.RATE
    laps = max(1, round(metres / _LAP[1]))
    ring = ring_of(float(np.clip(metres / laps, *_LAP)))
    x, y = (0.5 * side for side in ring.sides)
    corners = np.array(((0.0, -y), (x, -y), (x, y), (-x, y), (-x, -y)))[1:]
    path = t.rounded(corners, 1.0, _EYE)
    path = np.roll(path, -len(path) // 8, axis=0)
    whole = laps * t.path_length(path)
    travelled = t.steady(frames, whole)
    points, yaw = t.along(path, travelled)
    return build_floor(seed, ring), t.carried(points, yaw, travelled, random, whole)


def _hall_path() -> np.ndarray:
    """A closed curve of some 80 m in the middle of the hall: rounds with bulges, no sharp turns."""
    phase = np.linspace(0.0, 2.0 * np.pi, 4000, endpoint=False)
    x, y = (3.1 * wave(3 * phase) + 0.9 * wave(7 * phase) for wave in (np.cos, np.sin))
    return np.stack((1.3 * x, y, np.full_like(x, _EYE)), -1)


Travel = Callable[[int, float], np.ndarray]


def _in_hall(
    seed: int, frames: int, travel: Travel
) -> tuple[Building, np.ndarray, np.ndarray, np.ndarray]:
    path = _hall_path()
    start = np.random.RandomState(seed).randint(len(path))
    travelled = travel(frames, frames / t.RATE)
    points, yaw = t.along(np.roll(path, -start, axis=0), travelled)
    return build_hall(seed), points, yaw, travelled


def _walk(seed: int, frames: int) -> tuple[Building, t.Trajectory]:
    building, points, yaw, travelled = _in_hall(seed, frames, t.steady)
    return building, t.carried(points, yaw, travelled, np.random.RandomState(seed))


def _stop_and_go(seed: int, frames: int) -> tuple[Building, t.Trajectory]:
    building, points, yaw, travelled = _in_hall(
        seed, frames, lambda count, metres: t.stop_and_go(count, 0.62 * metres)
    )
    return building, t.carried(points, yaw, travelled, np.random.RandomState(seed))


def _fast_turn(seed: int, frames: int) -> tuple[Building, t.Trajectory]:
    building, points, yaw, travelled = _in_hall(seed, frames, t.steady)
    phase = np.arange(frames) / t.RATE % 10.0
    back = smooth_step((phase - 3.5) / 2.0) - smooth_step((phase - 8.0) / 2.0)
    side = np.where(np.arange(frames) / t.RATE // 10.0 % 2 == 0, 1.0, -1.0)
    return building, t.carried(
        points, yaw + side * back * np.pi, travelled, np.random.RandomState(seed)
    )


def smooth_step(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def _stairs(seed: int, frames: int) -> tuple[Building, t.Trajectory]:
    building, flight = build_stairwell(seed)
    path = _stair_path(flight)
    whole = t.path_length(path)
    travelled = t.steady(frames, 0.5 * frames / t.RATE)
    points, yaw = t.along(path, travelled)
    yaw = t.smoothed(yaw, 0.35 * t.RATE)
    return building, t.carried(
        points, yaw, travelled, np.random.RandomState(seed), max(whole, travelled[-1])
    )


def _stair_path(flight: Flight) -> np.ndarray:
    """Up on the right, round on the landing, down on the left, round in the hall."""
    width, rise, run, hall = (
        float(value) for value in (flight.width, flight.rise, flight.run, flight.hall)
    )
    lane, top = 0.24 * width, STEPS * run
    corners = np.array(
        ((lane, -0.55 * hall), (lane, top + 1.1), (-lane, top + 1.1), (-lane, -0.55 * hall))
    )
    path = t.rounded(corners, 0.98 * lane, _EYE)
    rising = np.nonzero((path[:, 0] > 0.99 * lane) & (path[:, 1] > -0.45 * hall))[0]
    path = np.roll(path, -rising[0], axis=0)
    climb = t.smoothed(np.clip(path[:, 1] / run + 0.5, 0.0, STEPS), 3.0)
    path[:, 2] = _EYE + rise * climb
    return path


def _drive(seed: int, frames: int) -> tuple[Building, t.Trajectory]:
    x, y = (0.5 * side for side in BLOCK)
    corners = np.array(((-x, -y), (x, -y), (x, y), (-x, y)))
    path = t.rounded(corners, _TURN, _EYE)
    path = np.roll(path, -np.random.RandomState(seed).randint(len(path)), axis=0)
    points, yaw = t.along(path, t.steady(frames, _SPEED * frames / _DRIVE_RATE))
    still = np.zeros(frames)
    return build_streets(seed), t.Trajectory(points, yaw, still - 0.03, still)


_MAKE: dict[str, Callable[[int, int], tuple[Building, t.Trajectory]]] = {
    "walk": _walk,
    "loop": _loop,
    "stairs": _stairs,
    "stop-and-go": _stop_and_go,
    "fast-turn": _fast_turn,
    "drive": _drive,
    "kidnapped": kidnapped,
    "crowd": _walk,
    "door": door_walk,
    "street-cars": pavement_walk,
}
WALKS = tuple(_MAKE)


def open_walk(
    kind: str,
    seed: int = 0,
    frames: int = 600,
    width: int = 320,
    height: int = 240,
    field_of_view: float = 75.0,
    movers: bool = True,
) -> Walk:
    """A walk of one of WALKS; `field_of_view` is horizontal, in degrees; without `movers` it is the
    same with nobody in it."""
    if kind not in _MAKE:
        raise ValueError(f"there is no walk {kind!r}; there are {', '.join(WALKS)}")
    if frames < 2:
        raise ValueError(f"a walk takes at least 2 frames, not {frames}")
    building, path = _MAKE[kind](seed, frames)
    focal = 0.5 * width / np.tan(0.5 * np.radians(field_of_view))
    camera = Intrinsics(
        float(focal), float(focal), 0.5 * (width - 1), 0.5 * (height - 1), width, height
    )
    rate = _DRIVE_RATE if kind == "drive" else t.RATE
    dark = dark_frames() if kind == "kidnapped" else range(0)
    return Walk(building, path, camera, seed, rate, dark, cast_of(kind, seed, path, movers))
