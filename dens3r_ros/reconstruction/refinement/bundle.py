# SPDX-License-Identifier: Apache-2.0
"""All poses, the lens and the depth of tracked pixels at once, such that tracks agree best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.reconstruction.kept.pair_tracks import ImageKey
from dens3r_ros.reconstruction.refinement.local_system import Local, local_cost, local_system
from dens3r_ros.reconstruction.refinement.residuals import rays_of
from dens3r_ros.reconstruction.refinement.sightings import Anchor

_DENSE = 400
"""Keyframes up to which the reduced system is solved as a full matrix."""
_FIXED = 1e12
"""Information that holds an unknown in place."""
_ENOUGH = 1e-5
"""Relative gain of a step below which it was the last one."""
_FARTHEST = 1e-3
"""Inverse depth that is kept at least, as a share of the middle one."""
_WORST = 1e8


@dataclass(eq=False)
class BundleState:
    """T_world_camera (4, 4) rigid of every frame, inverse depths (N,) per anchor, and the factor
    that focal lengths are to be multiplied with."""

    poses: dict[ImageKey, np.ndarray]
    inverse: list[np.ndarray]
    focal: float = 1.0

    def copy(self) -> BundleState:
        """The same, which can be changed by itself."""
        return BundleState(dict(self.poses), list(self.inverse), self.focal)


@dataclass(frozen=True)
class BundleReport:
    """How it went: costs before and after, steps, and tracks of pixels in frames."""

    before: float
    after: float
    steps: int
    sightings: int


@dataclass(frozen=True, eq=False)
class _Reduced:
    """An anchor's part of the solve: its local system, and how its single frames, (6 F_s,), follow
    from the shared unknowns."""

    local: Local
    shared: np.ndarray
    """Numbers of local unknowns that are shared, in their order."""
    single: np.ndarray
    """Numbers of those that are not."""
    back: np.ndarray
    """(U_single, U_shared)."""
    start: np.ndarray
    """(U_single,)."""
    S: np.ndarray
    g: np.ndarray


class Bundle:
    """The problem: anchors and the keyframes whose poses they share; other frames belong to one
    anchor each. `focal_sigma` is how unsure the focal length is, as a logarithm; 0 keeps it."""

    def __init__(
        self, anchors: Sequence[Anchor], keyframes: Sequence[ImageKey], focal_sigma: float
    ) -> None:
        self._anchors = [anchor for anchor in anchors if anchor.frames]
        used = {anchor.key for anchor in self._anchors}
        used |= {frame for anchor in self._anchors for frame in anchor.frames}
        self._shared = {key: n for n, key in enumerate(k for k in keyframes if k in used)}
        self._focal_information = 1 / focal_sigma**2 if focal_sigma > 0 else _FIXED
        self._start_focal = 1.0

    @property
    def anchors(self) -> list[Anchor]:
        """Those that take part, in the order of the state's inverse depths."""
        return self._anchors

    def solve(
        self,
        state: BundleState,
        most_steps: int = 40,
        ended: Callable[[int], bool] = lambda step: False,
    ) -> tuple[BundleState, BundleReport]:
        """Levenberg-Marquardt from `state`; `ended` hears of each step and may say it is enough."""
        before = cost = self.cost(state)
        damping, steps = 1e-4, 0
        while steps < most_steps and not ended(steps):
            steps += 1
            moved = self._step(state, damping)
            new = self.cost(moved)
            if not new < cost:
                damping *= 10
                if damping > _WORST:
                    break
                continue
            done = cost - new < _ENOUGH * cost
            state, cost, damping = moved, new, max(damping * 0.2, 1e-9)
            if done:
                break
        sightings = sum(int((anchor.weights > 0).sum()) for anchor in self._anchors)
        return state, BundleReport(before, cost, steps, sightings)

    def cost(self, state: BundleState) -> float:
        """Robust cost of all tracks."""
        total = 0.5 * self._focal_information * np.log(state.focal) ** 2
        for number, anchor in enumerate(self._anchors):
            total += local_cost(*self._arguments(number, anchor, state))
        return float(total)

    def _arguments(
        self, number: int, anchor: Anchor, state: BundleState
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, Intrinsics]:
        camera = scaled(anchor.camera, state.focal)
        T = np.stack([np.linalg.inv(state.poses[f]) for f in anchor.frames])
        relative = T @ state.poses[anchor.key]
        rays = rays_of(anchor.pixels, camera)
        inverse = state.inverse[number]
        return rays, inverse, anchor.inverse, relative, anchor.seen, anchor.weights, camera

    def _step(self, state: BundleState, damping: float) -> BundleState:
        parts = [
            _reduced(
                local_system(*self._arguments(number, anchor, state), damping),
                [frame in self._shared for frame in anchor.frames],
                damping,
            )
            for number, anchor in enumerate(self._anchors)
        ]
        step = self._solved(parts, state, damping)
        moved = state.copy()
        for key, n in self._shared.items():
            moved.poses[key] = state.poses[key] @ small_motion(step[6 * n : 6 * n + 6])
        moved.focal = state.focal * float(np.exp(np.clip(step[-1], -0.3, 0.3)))
        for number, (anchor, part) in enumerate(zip(self._anchors, parts, strict=True)):
            self._follow(number, anchor, part, step, state, moved)
        return moved

    def _follow(
        self,
        number: int,
        anchor: Anchor,
        part: _Reduced,
        step: np.ndarray,
        state: BundleState,
        moved: BundleState,
    ) -> None:
        """Single frames and depths of an anchor, once the shared unknowns are known."""
        local = np.zeros(len(part.local.g))
        local[part.shared] = step[self._places(anchor, part)]
        local[part.single] = part.start - part.back @ local[part.shared]
        for f, frame in enumerate(anchor.frames):
            if frame not in self._shared:
                motion = small_motion(local[6 * (f + 1) : 6 * (f + 2)])
                moved.poses[frame] = state.poses[frame] @ motion
        change = -(part.local.g_depth + part.local.E @ local) / part.local.h
        inverse = state.inverse[number]
        least = _FARTHEST * float(np.median(inverse))
        moved.inverse[number] = np.maximum(inverse + change, np.maximum(least, 0.2 * inverse))

    def _places(self, anchor: Anchor, part: _Reduced) -> np.ndarray:
        """Where an anchor's shared unknowns lie among all."""
        keys = [anchor.key, *(frame for frame in anchor.frames if frame in self._shared)]
        at = [np.arange(6) + 6 * self._shared[key] for key in keys]
        return np.concatenate([*at, [6 * len(self._shared)]])

    def _solved(self, parts: Sequence[_Reduced], state: BundleState, damping: float) -> np.ndarray:
        size = 6 * len(self._shared) + 1
        g = np.zeros(size)
        g[-1] = self._focal_information * np.log(state.focal)
        places = [
            self._places(anchor, part) for anchor, part in zip(self._anchors, parts, strict=True)
        ]
        for at, part in zip(places, parts, strict=True):
            g[at] += part.g
        held = np.zeros(size)
        held[:6], held[-1] = _FIXED, self._focal_information
        if len(self._shared) <= _DENSE:
            H = np.zeros((size, size))
            for at, part in zip(places, parts, strict=True):
                H[np.ix_(at, at)] += part.S
            diagonal = H.diagonal().copy()
            H[np.diag_indices(size)] += damping * diagonal + held + 1e-9 * diagonal.max()
            return np.linalg.solve(H, -g)
        return _solved_sparse(parts, places, held, g, damping)


def _solved_sparse(
    parts: Sequence[_Reduced],
    places: Sequence[np.ndarray],
    held: np.ndarray,
    g: np.ndarray,
    damping: float,
) -> np.ndarray:
    rows = np.concatenate([np.repeat(at, len(at)) for at in places])
    columns = np.concatenate([np.tile(at, len(at)) for at in places])
    values = np.concatenate([part.S.ravel() for part in parts])
    H = coo_matrix((values, (rows, columns)), shape=(len(g), len(g))).tocsc()
    diagonal = H.diagonal()
    extra = damping * diagonal + held + 1e-9 * diagonal.max()
    at = np.arange(len(g))
    H = H + coo_matrix((extra, (at, at)), shape=H.shape).tocsc()
    return np.asarray(spsolve(H, -g))


def _reduced(local: Local, is_shared: Sequence[bool], damping: float) -> _Reduced:
    """Eliminate the frames that only this anchor knows."""
    mask = np.concatenate([np.ones(6, bool), np.repeat(is_shared, 6), [True]])
    shared, single = np.flatnonzero(mask), np.flatnonzero(~mask)
    S, g = local.H[np.ix_(shared, shared)], local.g[shared]
    if not len(single):
        return _Reduced(local, shared, single, np.zeros((0, len(shared))), np.zeros(0), S, g)
    own = local.H[np.ix_(single, single)].copy()
    diagonal = own.diagonal()
    # Next to nothing: what holds many frames in place holds the keyframes that they hang on too.
    own[np.diag_indices(len(single))] += damping * diagonal + 1e-10 * diagonal.max() + 1e-12
    cross = local.H[np.ix_(single, shared)]
    solved = np.linalg.solve(own, np.column_stack((cross, local.g[single])))
    back, start = solved[:, :-1], -solved[:, -1]
    return _Reduced(local, shared, single, back, start, S - cross.T @ back, g + cross.T @ start)


def scaled(camera: Intrinsics, factor: float) -> Intrinsics:
    """The camera with another focal length."""
    return replace(camera, fx=camera.fx * factor, fy=camera.fy * factor)


def small_motion(tangent: np.ndarray) -> np.ndarray:
    """(4, 4) of a translation and a rotation vector, at most half a radian."""
    turn = tangent[3:]
    angle = float(np.linalg.norm(turn))
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(turn * min(1.0, 0.5 / max(angle, 1e-12)))[0]
    T[:3, 3] = tangent[:3]
    return T
