# SPDX-License-Identifier: Apache-2.0
"""The pose of a frame by the image alone, in a few milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.front_end.corners.corner_tracks import OwnSights
from dens3r_ros.mapping.front_end.motion import Motion
from dens3r_ros.mapping.motion.weights import share_moving, stillness_at
from dens3r_ros.mapping.reference import Neighbour, Reference
from dens3r_ros.mapping.tracking.agreement import swing
from dens3r_ros.mapping.tracking.cameras import rays_at
from dens3r_ros.mapping.tracking.landmarks import Followed, Landmarks, Search, follow_landmarks
from dens3r_ros.mapping.tracking.matching import median, project, unit
from dens3r_ros.mapping.tracking.resection import RayMatches, Resection, resect

_COARSE = Search(levels=3, strays=60.0, home=True, most=120)
_FINE = Search(levels=2, strays=12.0, home=True)
_FEW = 15
"""Points that agree below which no pose is believed."""
_PLENTY = 120
"""Points of the keyframe that are found from which on its neighbours are not asked."""
_AGREE = 0.5
"""Share of the points found that must agree."""
_SHARE, _MANY = 0.25, 60
"""Share of the points looked for that must agree, where they are not many: among points that are
not there some look alike by chance."""
_WILD = 0.25
"""Radians by which the view may swing away from where it was expected."""
_UNSURE = 0.05
"""Standard deviation of the place, as a share of the depth, or radians, beyond which a pose is not
believed."""
_RAW_DEPTH = 0.15
"""Relative error of the depths of a keyframe that one prediction made, beside that of any."""

_SHIFT, _TURN = 0.02, 0.03
"""Standard deviation of such a place: a share of the depth, beside the way itself, and radians."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A frame's pose by the image alone.

    T_keyframe_frame (4, 4) rigid, in the keyframe's unit; covariance (6, 6) of a small motion in
    the frame's optical frame; matched: share of the keyframe's landmarks that were found; inliers:
    share of all points found that agree; parallax: median radians between the keyframe's rays and
    the frame's; found: the points that agree, as landmarks of this frame in the keyframe's unit;
    beside: see `Motion`; bridged: frames in a row that were placed by their turn alone, this one
    included; moving (h, w): what moves in it, 0 to 1, where that is told.
    """

    T_keyframe_frame: np.ndarray
    covariance: np.ndarray
    matched: float
    inliers: float
    parallax: float
    found: Landmarks
    beside: dict[int, np.ndarray] = field(default_factory=dict)
    bridged: int = 0
    moving: np.ndarray | None = None


def place(
    grey: np.ndarray,
    reference: Reference,
    motion: Motion,
    T_keyframe_frame: np.ndarray,
    config: TrackingConfig,
    moving: np.ndarray | None = None,
    own: OwnSights | None = None,
) -> Placed | str:
    """Place a frame, (h, w) uint8 as the engine would see it, that is expected at
    `T_keyframe_frame`; a reason in words where that cannot be done. What is found where something
    moved in the frame before, `moving` (h, w), counts less; corners that were found already, `own`,
    count where keyframes have few."""
    raw = _RAW_DEPTH / max(reference.folds, 1.0)
    config = replace(config, sigma_depth=config.sigma_depth + raw)
    expected = np.linalg.inv(T_keyframe_frame)
    camera, depth = reference.sight.camera, reference.landmarks.depth
    T = _coarse(grey, reference, motion, expected, config, moving)
    sights = _sights(grey, reference, motion, T, moving)
    if own is not None and len(own.points) and len(sights[-1]) < _PLENTY:
        sights.append(_Sights.own(own, reference, moving))
    count = sum(map(len, sights))
    if count < _FEW:
        return f"only {count} points of keyframe {reference.keyframe_id} found again"
    solved = _solved(sights, camera, T, 1.0, config)
    reason = _doubted(solved, sum(one.sought for one in sights), depth)
    if reason is not None:
        return reason
    if swing(solved.T_frame_keyframe, expected, depth) > _WILD:
        return "the points followed ask for a leap"
    return _placed(grey, reference, sights, solved.with_floor(config.image_error, depth))


def by_turn(
    seen: Landmarks, T_last: np.ndarray, T: np.ndarray, depth: float, bridged: int
) -> Placed:
    """A place `T` (T_keyframe_frame) by the turn since the last one alone."""
    shift = np.linalg.norm(T[:3, 3] - T_last[:3, 3]) + _SHIFT * depth
    doubt = np.diag([shift**2] * 3 + [_TURN**2] * 3)
    return Placed(T, bridged * doubt, 0.0, 0.0, 0.0, seen, bridged=bridged)


@dataclass(frozen=True, eq=False)
class _Sights:
    """Landmarks that were followed, and their frame and unit in the reference's (4, 4)."""

    landmarks: Landmarks
    followed: Followed
    S_keyframe_landmarks: np.ndarray
    weights: np.ndarray
    """(N,) of those found: less where something may move."""
    hidden: int
    """Of those looked for, how many something hides that moves."""

    def __len__(self) -> int:
        return len(self.followed.which)

    @staticmethod
    def of(
        landmarks: Landmarks, followed: Followed, S: np.ndarray, moving: np.ndarray | None
    ) -> _Sights:
        """Without those found on what surely moves."""
        still = stillness_at(moving, followed.pixels)
        kept = still > 0
        shown = replace(
            followed,
            which=followed.which[kept],
            pixels=followed.pixels[kept],
            expected=followed.expected[kept],
        )
        hidden = round(followed.seen * share_moving(moving))
        return _Sights(landmarks, shown, S, still[kept], hidden)

    @staticmethod
    def own(own: OwnSights, reference: Reference, moving: np.ndarray | None) -> _Sights:
        """Corners that were found already."""
        numbers = np.arange(len(own.points))
        landmarks = replace(
            reference.landmarks,
            keyframe_id=-1,
            pixels=own.pixels.astype(np.float32),
            points=own.points,
            numbers=numbers,
        )
        followed = Followed(numbers, own.pixels, own.pixels, len(numbers))
        sights = _Sights.of(landmarks, followed, np.eye(4), moving)
        return replace(sights, weights=sights.weights * own.weights[sights.followed.which])

    @property
    def sought(self) -> int:
        """How many could have been found."""
        return self.followed.seen - self.hidden

    @property
    def points(self) -> np.ndarray:
        """(N, 3) of those found, in the reference's frame and unit."""
        points = self.landmarks.points[self.followed.which]
        return _moved(points, self.S_keyframe_landmarks)

    def beside(self, camera: Intrinsics, T_frame_keyframe: np.ndarray) -> np.ndarray:
        """(M, 2) pixels by which landmarks lie beside their points, by number; 0 if not found."""
        off = self.followed.pixels - project(_moved(self.points, T_frame_keyframe), camera)
        near = np.abs(off).max(1, initial=0) < _FINE.strays
        numbers = self.landmarks.numbers
        result = np.zeros((numbers.max(initial=-1) + 1, 2))
        result[numbers[self.followed.which[near]]] = off[near]
        return result


def _coarse(
    grey: np.ndarray,
    reference: Reference,
    motion: Motion,
    T: np.ndarray,
    config: TrackingConfig,
    moving: np.ndarray | None,
) -> np.ndarray:
    """T_frame_keyframe by some points, followed from far away; as expected where that fails."""
    before, T_keyframe_before = motion.before, motion.T_keyframe_frame
    if before is None or not len(before):
        before, T_keyframe_before = reference.landmarks, np.eye(4)
    camera = reference.sight.camera
    followed = follow_landmarks(before, grey, camera, T @ T_keyframe_before, _COARSE)
    if len(followed.which) < _FEW:
        return T
    sights = _Sights.of(before, followed, T_keyframe_before, moving)
    if len(sights) < _FEW:
        return T
    solved = _solved([sights], camera, T, 2.0, config)
    tame = swing(solved.T_frame_keyframe, T, reference.landmarks.depth) < _WILD
    return solved.T_frame_keyframe if solved.inliers > _AGREE and tame else T


def _sights(
    grey: np.ndarray,
    reference: Reference,
    motion: Motion,
    T_frame_keyframe: np.ndarray,
    moving: np.ndarray | None,
) -> list[_Sights]:
    """The keyframe's landmarks, and its neighbours' where those are not plenty."""
    found = []
    for one in (Neighbour(reference.landmarks, np.eye(4)), *reference.neighbours):
        landmarks, S = one.landmarks, one.S_keyframe_neighbour
        T = T_frame_keyframe @ S
        T[:3] /= np.cbrt(np.linalg.det(T[:3, :3]))
        beside = motion.likely(landmarks)
        followed = follow_landmarks(landmarks, grey, reference.sight.camera, T, _FINE, beside)
        found.append(_Sights.of(landmarks, followed, S, moving))
        if len(found[-1]) >= _PLENTY:
            break
    return found


def _solved(
    sights: Sequence[_Sights],
    camera: Intrinsics,
    T_frame_keyframe: np.ndarray,
    sigma: float,
    config: TrackingConfig,
) -> Resection:
    """The pose refined, with errors of `sigma` usual ones."""
    points = np.concatenate([one.points for one in sights])
    pixels = np.concatenate([one.followed.pixels for one in sights])
    weights = np.concatenate([one.weights for one in sights]).astype(np.float64)
    matches = RayMatches(points, rays_at(pixels, camera), weights)
    return resect(matches, T_frame_keyframe, sigma * config.sigma_pixels / camera.fx, config)


def _moved(points: np.ndarray, S: np.ndarray) -> np.ndarray:
    return points @ S[:3, :3].T + S[:3, 3]


def _doubted(solved: Resection, sought: int, depth: float) -> str | None:
    """Why a pose cannot be believed, if so."""
    agree = int(solved.agree.sum())
    if solved.inliers < _AGREE or agree < max(_FEW, min(_SHARE * sought, _MANY)):
        return f"only {agree} of {sought} points agree on a pose"
    doubt = np.sqrt(np.diag(solved.covariance))
    if max(doubt[:3].max() / depth, doubt[3:].max()) > _UNSURE:
        return "the points followed leave the pose open"
    return None


def _matched(keyframes: _Sights) -> float:
    """Share of the keyframe's landmarks that were found; those are not lost that are hidden by
    something that moves."""
    shown = max(len(keyframes.landmarks) - keyframes.hidden, 1)
    return min(len(keyframes) / shown, 1.0)


def _placed(
    grey: np.ndarray, reference: Reference, sights: Sequence[_Sights], solved: Resection
) -> Placed:
    T, camera = solved.T_frame_keyframe, reference.sight.camera
    points = np.concatenate([one.points for one in sights])[solved.agree]
    pixels = np.concatenate([one.followed.pixels for one in sights])[solved.agree]
    here = _moved(points, T)
    turned = unit(points @ T[:3, :3].T)
    trail = replace(
        reference.landmarks,
        grey=grey,
        camera=camera,
        pixels=pixels.astype(np.float32),
        points=here,
        numbers=np.arange(len(here)),
        depth=median(here[:, 2]),
    )
    return Placed(
        np.linalg.inv(T),
        solved.covariance,
        _matched(sights[0]),
        solved.inliers,
        median(np.linalg.norm(turned - unit(here), axis=1)),
        trail,
        {one.landmarks.keyframe_id: one.beside(camera, T) for one in sights},
    )
