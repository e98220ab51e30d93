# SPDX-License-Identifier: Apache-2.0
"""Walks as poses alone, with what an inertial sensor reads along them."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from updates import lost, tracked

from dens3r_ros.imu import ImuRecording
from dens3r_ros.mapping.inertial.inertial import Inertial
from dens3r_ros.mapping.update import Update
from dens3r_ros.scenes import walk as walks
from dens3r_ros.scenes.inertial import Carried, carried_imu
from dens3r_ros.scenes.worlds.building import Building

UNIT = 2.5
"""Metres of the map's unit."""


def path(kind: str, seed: int, frames: int) -> walks.Walk:
    """A walk without anything to see."""
    _, trajectory = walks._MAKE[kind](seed, frames)
    nowhere = Building(None, torch.zeros(0, 2, 3), torch.zeros(0, 2, 3))  # type: ignore[arg-type]
    return walks.Walk(nowhere, trajectory, None, seed)  # type: ignore[arg-type]


def updates(walk: walks.Walk, noise_m: float = 0.004, noise_rad: float = 0.002) -> list[Update]:
    """What a mapper with a unit of its own would say of each frame; its map lies askew."""
    random = np.random.RandomState(walk.seed + 1)
    askew = np.eye(4)
    askew[:3, :3] = Rotation.from_euler("xyz", (4, -3, 70), degrees=True).as_matrix()
    found = []
    for index, pose in enumerate(walk.trajectory.poses()):
        T = askew @ pose
        T[:3, 3] += random.standard_normal(3) * noise_m
        wrong = Rotation.from_rotvec(random.standard_normal(3) * noise_rad).as_matrix()
        T[:3, :3] = T[:3, :3] @ wrong
        T[:3, 3] /= UNIT
        found.append(update(round(index * 1e9 / walk.rate), T))
    return found


def update(stamp: int, T: np.ndarray | None, epoch: int = 0) -> Update:
    """Of one frame."""
    return lost(stamp=stamp, epoch=epoch) if T is None else tracked(T, stamp=stamp, epoch=epoch)


def up() -> np.ndarray:
    """(3,) what points up in the map of `updates`."""
    return Rotation.from_euler("xyz", (4, -3, 70), degrees=True).as_matrix()[:, 2]


def run(
    walk: walks.Walk,
    recording: ImuRecording | None = None,
    inertial: Inertial | None = None,
    late_s: float = 0.0,
    seen: list[Update] | None = None,
) -> tuple[Inertial, float | None]:
    """Let an `Inertial` see a walk as it would live; readings come `late_s` after their stamps.
    `seen`: what the mapper said instead of `updates`.
    Returns it, and the seconds after which the scale was known."""
    recording = recording or carried_imu(walk, Carried())
    inertial = inertial or Inertial(recording.noise, recording.T_camera_imu)
    readings, given, known = recording.readings, 0, None
    for one in updates(walk) if seen is None else seen:
        end = int(np.searchsorted(readings.stamps, one.stamp - round(late_s * 1e9), "right"))
        inertial.buffer.extend(readings.part(slice(given, end)))
        given = max(end, given)
        if inertial.learn(one):
            known = one.stamp * 1e-9
    return inertial, known
