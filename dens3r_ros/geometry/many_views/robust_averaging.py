# SPDX-License-Identifier: Apache-2.0
"""One camera's pose from its relative poses to cameras that are known, some of which are wrong and
none of which tells a length."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.spatial.transform import Rotation

from dens3r_ros.geometry.rotation import turn

_AGREE = np.deg2rad(10.0)
"""Radians up to which rotations, or a line and a place, say the same."""
_ROUNDS = 12
_SCALE = np.deg2rad(3.0)
"""Radians from which on one counts for less."""
_SURE_R, _SURE_T = np.deg2rad(0.5), np.deg2rad(1.0)
"""Radians that one relative rotation, and one direction, is off at least."""
_PARALLEL = np.deg2rad(2.0)
"""Radians between lines below which they do not meet."""
_VAGUE = 0.5
"""Standard deviation, in usual distances to known cameras, beyond which a place is not known."""

ON_A_LINE = (
    "its direction is known and its place is not: it lies on one line with the keyframes that know"
    " it, and lengths are not told"
)


@dataclass(frozen=True, eq=False)
class AveragedCamera:
    """T_world_camera (4, 4); covariance (6, 6) of its place and of its direction (radians) along
    and about the world's axes; which of the known cameras agree (K,) with it."""

    T_world_camera: np.ndarray
    covariance: np.ndarray
    agree: np.ndarray


def averaged_camera(
    T_world_known: np.ndarray, T_known_camera: np.ndarray, shifted: np.ndarray
) -> AveragedCamera | str:
    """A camera's pose by relative poses (K, 4, 4) to K known ones (K, 4, 4), or why there is none;
    where not `shifted` (K,) the two are of about one place, and only the rotation is told."""
    R_known = T_world_known[:, :3, :3]
    found = averaged_rotation(R_known @ T_known_camera[:, :3, :3])
    if isinstance(found, str):
        return found
    R, spread_R, agree = found
    lines = agree & shifted & (np.linalg.norm(T_known_camera[:, :3, 3], axis=1) > 0)
    directions = np.einsum("kij,kj->ki", R_known, T_known_camera[:, :3, 3])[lines]
    met = meeting_point(T_world_known[lines, :3, 3], directions)
    if isinstance(met, str):
        return met
    T, covariance = np.eye(4), np.zeros((6, 6))
    T[:3, :3], T[:3, 3] = R, met[0]
    covariance[:3, :3], covariance[3:, 3:] = met[1], np.eye(3) * spread_R**2
    agree = agree.copy()
    agree[np.flatnonzero(lines)[~met[2]]] = False
    return AveragedCamera(T, covariance, agree)


def averaged_rotation(rotations: np.ndarray) -> tuple[np.ndarray, float, np.ndarray] | str:
    """The rotation on which most of (K, 3, 3) agree, radians that one of them is usually off, and
    which of them agree (K,); or why there is none."""
    apart = turn(rotations.transpose(0, 2, 1)[:, None] @ rotations[None])
    near = apart < _AGREE
    start = max(range(len(near)), key=lambda n: (near[n].sum(), -apart[n].sum()))
    if near[start].sum() < 2:
        return "no two keyframes agree on its direction"
    others = near & ~near[start] & ~near[start][:, None]
    if others.sum(1).max() >= near[start].sum():
        return "as many keyframes agree on one direction as on another"
    R = rotations[start]
    for _ in range(_ROUNDS):
        off = Rotation.from_matrix(R.T @ rotations).as_rotvec()
        weight = 1 / (1 + (off**2).sum(1) / _SCALE**2) ** 2
        R = R @ Rotation.from_rotvec(weight @ off / weight.sum()).as_matrix()
    off = turn(R.T @ rotations)
    agree = off < _AGREE
    spread = float(np.sqrt((off[agree] ** 2).mean()))
    return R, max(spread, _SURE_R), agree


def meeting_point(
    points: np.ndarray, directions: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | str:
    """Where most of the lines from (K, 3) along (K, 3) meet, ahead of where they begin; covariance
    (3, 3) of that, and which lines agree (K,); or why that is not known."""
    units = directions / np.linalg.norm(directions, axis=1, keepdims=True).clip(1e-12)
    if len(units) < 2:
        return "fewer than two keyframes tell in which direction it lies from them"
    tried = [
        x
        for i, j in combinations(range(len(units)), 2)
        if (x := _crossing(points[[i, j]], units[[i, j]])) is not None
    ]
    if not tried:
        return ON_A_LINE
    misses = np.array([_off(x, points, units)[0] for x in tried])
    agreed = (misses < _AGREE).sum(1)
    if agreed.max() < 2:
        return "the directions in which keyframes see it do not meet"
    best = int(np.argmax(agreed - np.minimum(misses, _AGREE).mean(1) / _AGREE))
    x = tried[best]
    for _ in range(_ROUNDS):
        off, away = _off(x, points, units)
        weight = np.where(off < 2 * _AGREE, 1 / (1 + (off / _SCALE) ** 2) ** 2, 0) / away**2
        x = _nearest(points, units, weight)
    off, away = _off(x, points, units)
    agree = off < _AGREE
    if agree.sum() < 2:
        return "the directions in which keyframes see it do not meet"
    return _sure(x, units[agree], (off[agree], away[agree]), agree)


def _sure(
    x: np.ndarray,
    units: np.ndarray,
    seen: tuple[np.ndarray, np.ndarray],
    agree: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | str:
    """The place with its covariance, or that it is not known along some direction; as sure as one
    pair of lines is, since cameras beside each other err alike."""
    off, away = seen
    freedom = max(2 * len(off) - 3, 1)
    spread = max(float(np.sqrt((off**2).sum() / freedom)), _SURE_T)
    missed = float(((np.sin(off) * away) ** 2).sum() / freedom)
    across = _across(units) / ((spread * away) ** 2 + missed)[:, None, None]
    information = across.sum(0) * 2 / len(units)
    usual = float(np.median(away))
    if np.linalg.eigvalsh(information)[0] < 1 / (_VAGUE * usual) ** 2:
        return ON_A_LINE
    return x, np.linalg.inv(information), agree


def _crossing(points: np.ndarray, units: np.ndarray) -> np.ndarray | None:
    """Where two lines are nearest to each other; None where they are parallel."""
    if np.linalg.norm(np.cross(units[0], units[1])) < np.sin(_PARALLEL):
        return None
    return _nearest(points, units, np.ones(2))


def _nearest(points: np.ndarray, units: np.ndarray, weight: np.ndarray) -> np.ndarray:
    across = _across(units) * weight[:, None, None]
    right = (across @ points[..., None]).sum(0)[:, 0]
    return np.asarray(np.linalg.lstsq(across.sum(0), right, rcond=1e-12)[0])


def _across(units: np.ndarray) -> np.ndarray:
    return np.asarray(np.eye(3) - units[:, :, None] * units[:, None])


def _off(x: np.ndarray, points: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K,) radians by which lines miss a place, seen from where they begin, and distances to it."""
    to = x - points
    away = np.linalg.norm(to, axis=1).clip(1e-9)
    cosine = (to * units).sum(1) / away
    return np.arccos(np.clip(cosine, -1, 1)), away
