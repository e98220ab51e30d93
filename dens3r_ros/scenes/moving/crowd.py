# SPDX-License-Identifier: Apache-2.0
"""People round a camera that is carried: they cross before it, come, walk along and go, so that
they cover about the same share of its view all the time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.scenes.moving.routes import Route
from dens3r_ros.scenes.trajectory import smoothed

_FASTEST = 1.9
"""Metres a second that nobody exceeds."""
_BEFORE_S = 8.0
"""Seconds that people find their places in before the first frame."""
_COLUMNS = 48
_FILL = 0.8
"""How much of its upright rectangle a person fills."""
_NEAR, _FAR = 1.2, 7.0


@dataclass(frozen=True)
class CrowdOptions:
    """people: how many; cover: share of the view that is aimed at; bounds: they stay within so many
    metres of the origin in x and y, None where there is no limit; keep: nobody comes nearer to the
    camera, metres; half_view: of the camera, radians; eye: its height above the ground."""

    people: int = 8
    cover: float = 0.26
    bounds: tuple[float, float] | None = None
    keep: float = 1.6
    half_view: float = 0.65
    eye: float = 1.5


def crowd(
    position: np.ndarray,
    yaw: np.ndarray,
    rate: float,
    seed: int,
    options: CrowdOptions,
    room: np.ndarray | None = None,
) -> list[Route]:
    """Routes of people round a camera at `position` (N, 3) that looks along `yaw` (N,).

    Each has a place in the camera's view that wanders from side to side, and goes there at a
    walker's pace; all come nearer while too little is covered, and keep away while too much is.
    `room` (N,) is how far from the camera they go at most, metres.
    """
    random = np.random.RandomState(seed + 104_729)
    turn = smoothed(np.unwrap(yaw), 0.4 * rate)
    before = round(_BEFORE_S * rate)
    eyes = np.concatenate((np.repeat(position[:1], before, 0), position))
    turn = np.concatenate((np.repeat(turn[:1], before), turn))
    places = _Wanderers(random, options)
    far = np.full(len(position), np.inf) if room is None else room
    far = np.concatenate((np.repeat(far[:1], before), far))
    looks = zip(eyes, turn, far, strict=True)
    trace = np.stack([places.step(k / rate, *look, 1.0 / rate) for k, look in enumerate(looks)])
    ground = eyes[:, 2] - options.eye
    return [_route(trace[:, i], ground, before, rate) for i in range(options.people)]


class _Wanderers:
    """Where all are, in the plane, from step to step."""

    def __init__(self, random: np.random.RandomState, options: CrowdOptions) -> None:
        count = options.people
        self._options = options
        self._period = random.uniform(7.0, 19.0, count)
        self._phase = random.uniform(0.0, 2 * np.pi, count)
        self._reach = random.uniform(0.5, 1.4, count) * options.half_view
        self._away = np.linspace(1.7, 3.4, count) * random.uniform(0.9, 1.1, count)
        self._breath = random.uniform(5.0, 13.0, count)
        self._size = 1.0
        self.places: np.ndarray | None = None
        self._speed = np.zeros((count, 2))

    def step(
        self, seconds: float, eye: np.ndarray, look: float, room: float, dt: float
    ) -> np.ndarray:
        """(P, 2) where they are after `dt` seconds more."""
        wanted = self._wanted(seconds, eye[:2], look, room)
        if self.places is None:
            self.places = wanted
        pull = 1.5 * (wanted - self.places)
        fast = np.linalg.norm(pull, axis=1, keepdims=True)
        pull = pull * np.minimum(1.0, _FASTEST / np.maximum(fast, 1e-9))
        self._speed += (pull - self._speed) * min(1.0, 3.0 * dt)
        self.places = self._apart(self.places + dt * self._speed, eye[:2])
        covered = cover(self.places - eye[:2], look, self._options)
        change = np.exp(dt * 6.0 * (covered - self._options.cover))
        self._size = float(np.clip(self._size * change, 0.6, 2.2))
        return self.places.copy()

    def _wanted(self, seconds: float, eye: np.ndarray, look: float, room: float) -> np.ndarray:
        angle = look + self._reach * np.sin(2 * np.pi * seconds / self._period + self._phase)
        breath = 1.0 + 0.25 * np.sin(2 * np.pi * seconds / self._breath + 2.0 * self._phase)
        away = np.maximum(self._options.keep, self._size * breath * self._away)
        away = np.minimum(away, max(room, self._options.keep))
        wanted = eye + away[:, None] * np.stack((np.cos(angle), np.sin(angle)), -1)
        return self._within(wanted)

    def _within(self, places: np.ndarray) -> np.ndarray:
        if self._options.bounds is None:
            return places
        limit = np.array(self._options.bounds)
        return np.clip(places, -limit, limit)

    def _apart(self, places: np.ndarray, eye: np.ndarray) -> np.ndarray:
        """Nobody within the camera's reach or in another."""
        offset = places[:, None] - places[None]
        gap = np.linalg.norm(offset, axis=-1) + np.eye(len(places))
        push = np.maximum(0.0, 0.6 - gap)[..., None] * offset / np.maximum(gap, 1e-6)[..., None]
        places = self._within(places + 0.1 * push.sum(1))
        away = places - eye
        distance = np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
        return eye + away / distance * np.maximum(distance, min(_NEAR, self._options.keep))


def cover(offset: np.ndarray, look: float, options: CrowdOptions) -> float:
    """About the share of the view that people at `offset` (P, 2) from the camera cover."""
    angle = np.arctan2(offset[:, 1], offset[:, 0]) - look
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    ahead = np.linalg.norm(offset, axis=1) * np.cos(angle)
    seen = (ahead > 0.3) & (ahead < _FAR)
    slope = np.tan(options.half_view)
    tall = 0.75 * slope
    ahead = np.where(seen, ahead, 1.0)
    across, half = np.tan(np.where(seen, angle, 0.0)), 0.29 / ahead
    top, bottom = np.minimum(0.25 / ahead, tall), np.minimum(options.eye / ahead, tall)
    share = np.where(seen, _FILL * (top + bottom) / (2 * tall), 0.0)
    columns = np.linspace(-slope, slope, _COLUMNS)
    hidden = np.abs(columns[:, None] - across) < half
    return float((hidden * share).max(1).mean())


def _route(places: np.ndarray, ground: np.ndarray, before: int, rate: float) -> Route:
    """The way of one person, who looks where they go."""
    step = np.diff(places, axis=0, append=places[-1:] + (places[-1:] - places[-2:-1]))
    step = np.stack([smoothed(step[:, i], 0.25 * rate) for i in range(2)], -1)
    heading = smoothed(np.unwrap(np.arctan2(step[:, 1], step[:, 0])), 0.15 * rate)
    position = np.concatenate((places, ground[:, None]), 1)
    return Route(position[before:], heading[before:], rate)
