# SPDX-License-Identifier: Apache-2.0
"""How a person carries a camera along a path: speed, heading, bob."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RATE = 30.0
"""Frames per second."""
_EYE_SLOPE = -0.09


@dataclass(frozen=True, eq=False)
class Trajectory:
    """`position` (N, 3) metres, `yaw`, `pitch` (up is positive) and `roll` (N,) radians."""

    position: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray

    def __len__(self) -> int:
        return len(self.position)

    def poses(self) -> np.ndarray:
        """(N, 4, 4) float64 T_world_camera, optical frame, world z up."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        cp, sp = np.cos(self.pitch), np.sin(self.pitch)
        forward = np.stack((cp * c, cp * s, sp), -1)
        right = np.stack((s, -c, np.zeros_like(c)), -1)
        down = np.cross(forward, right)
        cr, sr = np.cos(self.roll)[:, None], np.sin(self.roll)[:, None]
        T = np.zeros((len(self), 4, 4))
        T[:, :3, 0], T[:, :3, 1] = cr * right + sr * down, cr * down - sr * right
        T[:, :3, 2], T[:, :3, 3], T[:, 3, 3] = forward, self.position, 1.0
        return T

    def length(self) -> float:
        """Metres travelled."""
        return float(np.linalg.norm(np.diff(self.position, axis=0), axis=1).sum())


def along(path: np.ndarray, travelled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) and headings (N,) of a closed path (P, 3) after `travelled` (N,) metres."""
    closed = np.concatenate((path, path[:1]))
    step = np.diff(closed, axis=0)
    at = np.concatenate(([0.0], np.linalg.norm(step, axis=1).cumsum()))
    heading = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
    turn = heading[-1] + _wrapped(heading[0] - heading[-1]) - heading[0]
    laps, rest = np.divmod(travelled, at[-1])
    whole = laps == travelled / at[-1]
    rest = np.where(whole, 0.0, rest)
    points = np.stack([np.interp(rest, at, closed[:, i]) for i in range(3)], -1)
    middle = np.concatenate(([at[0]], 0.5 * (at[1:] + at[:-1]), [at[-1]]))
    start = 0.5 * (heading[0] + heading[-1] - turn)
    angles = np.concatenate(([start], heading, [start + turn]))
    return points, np.interp(rest, middle, angles) + laps * turn


def rounded(corners: np.ndarray, radius: float, height: float, step: float = 0.05) -> np.ndarray:
    """(P, 3) points of a closed polygon (C, 2) of right angles, its corners
    rounded, all at one height."""
    points = []
    for before, corner, after in zip(
        np.roll(corners, 1, 0), corners, np.roll(corners, -1, 0), strict=True
    ):
        come = (corner - before) / np.linalg.norm(corner - before)
        leave = (after - corner) / np.linalg.norm(after - corner)
        centre = corner - radius * come + radius * leave
        for angle in np.linspace(0.0, 0.5 * np.pi, max(4, int(1.6 * radius / step))):
            points.append(centre + radius * (np.sin(angle) * come - np.cos(angle) * leave))
    dense = []
    for a, b in zip(points, np.roll(points, -1, 0), strict=True):
        count = max(1, int(np.linalg.norm(b - a) / step))
        dense += [a + (b - a) * i / count for i in range(count)]
    return np.concatenate((dense, np.full((len(dense), 1), height)), 1)


def path_length(path: np.ndarray) -> float:
    """Metres once round a closed path (P, 3)."""
    return float(np.linalg.norm(np.diff(path, axis=0, append=path[:1]), axis=1).sum())


def carried(
    points: np.ndarray,
    yaw: np.ndarray,
    travelled: np.ndarray,
    random: np.random.RandomState,
    whole: float | None = None,
) -> Trajectory:
    """A walker's bob and glances on top of a path; periods divide `whole` metres exactly."""
    whole = whole or max(float(travelled[-1]), 1.0)

    def swing(metres: float) -> np.ndarray:
        cycles = max(1, round(whole / metres))
        phase = random.uniform(0.0, 2 * np.pi)
        return np.sin(2 * np.pi * cycles * travelled / whole + phase)

    bob = np.zeros_like(points)
    bob[:, 2] = 0.015 * swing(0.7)
    bob[:, 0], bob[:, 1] = (side * 0.012 * swing(1.4) for side in (-np.sin(yaw), np.cos(yaw)))
    glance = 0.16 * swing(5.3) + 0.1 * swing(3.1)
    pitch = _EYE_SLOPE + 0.06 * swing(4.1) + 0.006 * swing(0.7)
    return Trajectory(points + bob, yaw + glance, pitch, 0.012 * swing(1.4) + 0.02 * swing(7.0))


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def smoothed(values: np.ndarray, frames: float) -> np.ndarray:
    """(N,) values averaged by a bell of `frames` deviation; the ends are held."""
    reach = int(3 * frames) + 1
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / frames) ** 2)
    padded = np.pad(values, reach, mode="edge")
    return np.convolve(padded, weights / weights.sum(), mode="valid")


def steady(frames: int, metres: float) -> np.ndarray:
    """(N,) metres travelled at one speed, ending at exactly `metres`."""
    return np.linspace(0.0, metres, frames)


def stop_and_go(frames: int, metres: float) -> np.ndarray:
    """(N,) metres travelled, walking 3 s and standing 2 s by turns, with soft starts."""
    phase = np.arange(frames - 1) / RATE % 5.0
    speed = smoothed((phase < 3.0).astype(float), 0.15 * RATE)
    speed[speed < 0.01] = 0.0
    travelled = np.concatenate(([0.0], speed.cumsum()))
    return travelled / max(travelled[-1], 1e-9) * metres
