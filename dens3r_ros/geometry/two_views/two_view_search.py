# SPDX-License-Identifier: Apache-2.0
"""The likeliest motion between two views, and how likely quite another one is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dens3r_ros.geometry.rotation import turn
from dens3r_ros.geometry.two_views.motion_fit import (
    NOISE_PIXELS,
    Fitted,
    FocalGuess,
    Motions,
    fitted,
    moved,
    weight_of_each,
)
from dens3r_ros.geometry.two_views.turning import best_rotation
from dens3r_ros.geometry.two_views.two_view import (
    LEAST_TRACKS,
    Cameras,
    Pose,
    TwoView,
    refined_pose,
    sampled_pose,
)
from dens3r_ros.geometry.two_views.two_view_focal import (
    ASSUMED_SPREAD,
    assumed_focal,
    cameras_of_focal,
    sampled_pose_and_focal,
)

_SAMPLED_TRACKS = 300
_FITTED_TRACKS = 200
_TURNED_TRACKS = 100
_KNOWN_SPREAD = 1e-3
_STRETCHES = (0.6, 1.0, 1.6)
_DIRECTIONS = np.array([[1, 0, 0.3], [0, 1, 0.3], [0.2, 0.2, 1], [1, 0.3, -0.3]])
_FEW_MISSES = 3.0
_OTHER_TURN, _OTHER_DIRECTION = np.radians([2.5, 20])


@dataclass(frozen=True, eq=False)
class Likeliest:
    """The motion that suits the tracks best.

    turn_sigma, direction_sigma
                standard deviations of its rotation and of its baseline's direction in degrees, of
                tracks all over the image
    rivalry     cost of the best motion that is quite another one, relative to its own: above 1
    nearby      motions that are one standard deviation away, in each uncertain direction
    """

    view: TwoView
    turn_sigma: float
    direction_sigma: float
    rivalry: float
    nearby: list[TwoView]


def likeliest_motion(
    pixels_a: np.ndarray,
    pixels_b: np.ndarray,
    cameras: Cameras | None,
    size: tuple[int, int],
    near: Pose | None = None,
    guess: FocalGuess | None = None,
) -> Likeliest | None:
    """Of tracks (N, 2) between images of (height, width); None of too few.

    `near` is a pose of known cameras to begin with; without one it is sampled from the tracks.

    Without cameras, both views are taken to be of one with square pixels and its principal point
    at the centre. Where the motion says little of its focal length, it stays near the `guess`, or
    a view of 60 degrees.
    """
    if len(pixels_a) < LEAST_TRACKS:
        return None
    lens = _lens(cameras, size, guess)
    K_a, K_b = cameras or cameras_of_focal(lens.focal, size)
    a, b = _centred(pixels_a, K_a, lens), _centred(pixels_b, K_b, lens)
    few = slice(None, None, len(a) // _FITTED_TRACKS + 1)
    guessed = cameras or (cameras_of_focal(guess.focal, size) if guess else None)
    begin = (*near, lens.focal) if near else _sampled(pixels_a, pixels_b, guessed, size)
    starts = _starts(a, b, begin, lens)
    fit = _in_front(fitted(a[few], b[few], starts, lens), a[few], b[few])
    best = int(fit.cost.argmin())
    R, t, focal = fit.motions.R[best], fit.motions.t[best], float(fit.motions.focal[best])
    view = refined_pose(pixels_a, pixels_b, cameras or cameras_of_focal(focal, size), (R, t))
    if view is None:
        return None
    covariance = fit.covariance[best]
    sigmas = _degrees(covariance[:3, :3]), _degrees(covariance[3:5, 3:5])
    nearby = _nearby(view, covariance, cameras, size)
    return Likeliest(view, *sigmas, _rivalry(fit, best), nearby)


def _degrees(covariance: np.ndarray) -> float:
    return float(np.degrees(np.sqrt(np.trace(covariance))))


def _nearby(
    view: TwoView, covariance: np.ndarray, cameras: Cameras | None, size: tuple[int, int]
) -> list[TwoView]:
    steps = np.linalg.cholesky(covariance).T
    T, focal = view.T_b_a, np.full(len(steps), view.K_a[0, 0])
    same = Motions(np.array([T[:3, :3]] * len(steps)), np.array([T[:3, 3]] * len(steps)), focal)
    found = []
    for R, t, f in zip(*vars(moved(same, steps)).values(), strict=True):
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = R, t
        found.append(TwoView(pose, *(cameras or cameras_of_focal(f, size)), view.inliers))
    return found


def _lens(cameras: Cameras | None, size: tuple[int, int], guess: FocalGuess | None) -> FocalGuess:
    if cameras is None:
        return guess or FocalGuess(assumed_focal(size), ASSUMED_SPREAD)
    return FocalGuess(float(cameras[0][0, 0]), _KNOWN_SPREAD)


def _centred(pixels: np.ndarray, K: np.ndarray, lens: FocalGuess) -> np.ndarray:
    """Pixels as a camera of the lens's focal length sees them, its principal point at zero."""
    return (pixels - K[:2, 2]) / np.diag(K)[:2] * lens.focal


def _sampled(
    pixels_a: np.ndarray, pixels_b: np.ndarray, cameras: Cameras | None, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, float] | None:
    some = slice(None, None, len(pixels_a) // _SAMPLED_TRACKS + 1)
    if cameras is None:
        return sampled_pose_and_focal(pixels_a[some], pixels_b[some], size)
    found = sampled_pose(pixels_a[some], pixels_b[some], cameras)
    return None if found is None else (*found, float(cameras[0][0, 0]))


def _starts(
    a: np.ndarray,
    b: np.ndarray,
    sampled: tuple[np.ndarray, np.ndarray, float] | None,
    lens: FocalGuess,
) -> Motions:
    """The sampled motion, and others in all directions with the best rotation for each."""
    few = slice(None, None, len(a) // _TURNED_TRACKS + 1)
    starts = [] if sampled is None else [sampled]
    for stretch in _STRETCHES if lens.spread > _KNOWN_SPREAD else (1.0,):
        focal = lens.focal * stretch
        K = np.diag([focal, focal, 1.0])
        R, _ = best_rotation(a[few], b[few], K, K)
        starts += [(R, t / np.linalg.norm(t), focal) for t in _DIRECTIONS]
    R, t, focal = zip(*starts, strict=True)
    return Motions(np.array(R), np.array(t), np.array(focal))


def _in_front(fit: Fitted, a: np.ndarray, b: np.ndarray) -> Fitted:
    """Each motion with the sign of t that puts tracks in front of the cameras.

    Those that lie behind all the same make the motion less likely, as wrong tracks do.
    """
    misplaced = _parallax(fit.motions, a, b) / NOISE_PIXELS
    ahead, behind = (np.log1p(np.maximum(sign * misplaced, 0) ** 2) for sign in (1, -1))
    usual = weight_of_each(fit.miss) * (np.abs(fit.miss) < _FEW_MISSES)
    ahead, behind = (usual * ahead).sum(1), (usual * behind).sum(1)
    t = fit.motions.t * np.where(behind > ahead, -1, 1)[:, None]
    motions = Motions(fit.motions.R, t, fit.motions.focal)
    return replace(fit, motions=motions, cost=fit.cost + np.minimum(ahead, behind))


def _parallax(motions: Motions, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(M, N) pixels from infinity by which tracks lie on their epipolar lines, ahead if above 0."""
    focal = motions.focal[:, None, None]
    rays = np.concatenate([a / focal, np.ones((len(focal), len(a), 1))], axis=2)
    turned = rays @ motions.R.transpose(0, 2, 1)
    far = turned[..., :2] / turned[..., 2:]
    along = motions.t[:, None, :2] - far * motions.t[:, None, 2:]
    along *= np.sign(turned[..., 2:]) / np.maximum(np.linalg.norm(along, axis=2), 1e-12)[..., None]
    return ((b - focal * far) * along).sum(2)


def _rivalry(fit: Fitted, best: int) -> float:
    motions = fit.motions
    between = motions.R @ motions.R[best].T
    apart = np.arccos(np.clip(motions.t @ motions.t[best], -1, 1))
    others = fit.cost[(turn(between) > _OTHER_TURN) | (apart > _OTHER_DIRECTION)]
    return float(others.min() / max(fit.cost[best], 1e-9)) if len(others) else np.inf
