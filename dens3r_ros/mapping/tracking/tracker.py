# SPDX-License-Identifier: Apache-2.0
"""The pose of one frame against one keyframe, from what the engine says of the pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dens3r_ros.geometry.camera import Intrinsics
from dens3r_ros.mapping.config import TrackingConfig
from dens3r_ros.mapping.motion.weights import much_moves, share_moving, stillness_at
from dens3r_ros.mapping.tracking.agreement import Difference, settle, swing
from dens3r_ros.mapping.tracking.cameras import rays_at
from dens3r_ros.mapping.tracking.depth.pair_unit import pair_unit
from dens3r_ros.mapping.tracking.keyframe import Keyframe
from dens3r_ros.mapping.tracking.matching import (
    inside,
    match_rays,
    median,
    project,
    sample,
    sample_nearest,
    unit,
)
from dens3r_ros.mapping.tracking.observation import Observation
from dens3r_ros.mapping.tracking.refinement import Texture, follow
from dens3r_ros.mapping.tracking.resection import MIN_MATCHES, RayMatches, Resection, resect
from dens3r_ros.mapping.tracking.search import solve
from dens3r_ros.mapping.tracking.track import Sightings, Track

_OCCLUDED = 0.1
"""Relative difference of distances beyond which a match is taken for an occlusion."""
_STRAYED = 12
"""Pixels from where a point is expected beyond which it is taken for another one."""
_LEAST_SIGHT = 0.3
"""Share of the view below which what stands still in it is too little, whatever hides the rest."""
_SCARCE = 0.3
"""Share of the confidence that a point needs which is enough where much moves: what is left
between them is little, and a view from near by shows little of wrong depth."""
_MIN_FOLLOWED = 40
"""Points followed on the images below which they are not trusted alone."""


@dataclass(frozen=True, eq=False)
class View:
    """The frame to be tracked: its camera at the engine's resolution, its image, and what of it
    moves (h, w) or is expected to, if that is told."""

    camera: Intrinsics
    calibrated: bool
    texture: Texture | None
    motion: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Sightings by the engine, with the frame's pixels (N, 2) and the share matched."""

    sightings: Sightings
    pixels: np.ndarray
    matched: float

    def only(self, some: np.ndarray) -> _Pairs:
        """Those that (N,) bool picks."""
        seen = self.sightings
        kept = Sightings(seen.pixels[some], seen.rays[some], seen.weights[some], seen.sigma)
        return _Pairs(kept, self.pixels[some], self.matched)


def track(
    seen: Observation,
    view: View,
    keyframe: Keyframe,
    start: np.ndarray | None,
    config: TrackingConfig,
    metric: bool = False,
    scaled: bool = True,
) -> Track | str:
    """Place the frame against the keyframe; a reason where that cannot be done.

    `start` (T_keyframe_frame) is where the frame is expected, if anything is. All units are one
    and the same where the engine is `metric`; off, `scaled` spares finding out the pair's.
    """
    pairs = _pairs(seen, view, keyframe, config)
    matches = pairs.sightings.matches(keyframe.canonical)
    if len(matches) < MIN_MATCHES or pairs.matched < config.lost_fraction:
        return f"only {pairs.matched:.0%} of keyframe {keyframe.id} matched"
    coarse, from_scratch = solve(matches, start, pairs.sightings.sigma, config)
    if coarse is None or coarse.inliers < config.lost_inliers:
        return f"matches with keyframe {keyframe.id} agree on no pose"
    if from_scratch:
        pairs = pairs.only(coarse.agree)
        matches = matches.only(coarse.agree)
    T, depth = coarse.T_frame_keyframe, keyframe.canonical.median_depth
    expected = T if start is None else np.linalg.inv(start)
    by_image = _followed(seen, view, keyframe, T, config)
    if by_image is None and view.camera.fx * swing(T, expected, depth) > _STRAYED:
        by_image = _followed(seen, view, keyframe, expected, config)
    scale = None
    if scaled:
        there = np.linalg.norm(matches.points @ T[:3, :3].T + T[:3, 3], axis=1)
        scale = pair_unit(seen, pairs.sightings.pixels, pairs.pixels, there, config)
    doubt = (view.texture or keyframe.texture).doubt
    by_pixels = seen.pixels is not None
    estimates = _estimates(coarse, by_image, keyframe, by_pixels, seen.views, config)
    T, covariance = settle(*estimates, doubt, expected)
    return Track(
        np.linalg.inv(T),
        np.linalg.inv(coarse.T_frame_keyframe),
        1.0 if metric and scale is not None else scale,
        covariance,
        pairs.matched,
        coarse.inliers,
        _parallax(matches, T),
        pairs.sightings,
        by_image,
        doubt,
        None if estimates[1] is None else Difference.between(estimates[0], estimates[1]),
        pairs.sightings if by_pixels and seen.monocular else by_image,
        seen.views,
    )


def track_again(
    found: Track, keyframe: Keyframe, by_pixels: bool, config: TrackingConfig
) -> tuple[np.ndarray, np.ndarray]:
    """T_keyframe_frame and covariance with the keyframe's points as they are now."""
    T = np.linalg.inv(found.T_keyframe_frame)
    sightings = found.by_engine
    coarse = resect(sightings.matches(keyframe.canonical), T, sightings.sigma, config)
    estimates = _estimates(coarse, found.by_image, keyframe, by_pixels, found.views, config)
    T, covariance = settle(*estimates, found.doubt, T)
    return np.linalg.inv(T), covariance


def _estimates(
    coarse: Resection,
    by_image: Sightings | None,
    keyframe: Keyframe,
    by_pixels: bool,
    views: int,
    config: TrackingConfig,
) -> tuple[Resection, Resection | None]:
    """What the engine says and what the images say, neither surer than it can be; an engine that
    looks at more views than two is taken to err less, by the root of their number."""
    depth = keyframe.canonical.median_depth
    share = np.sqrt(2 / views)
    among = share * config.engine_error[0], share * config.engine_error[1]
    engine = coarse.with_floor(config.image_error if by_pixels else among, depth)
    if by_image is None:
        return engine, None
    fine = resect(
        by_image.matches(keyframe.canonical), coarse.T_frame_keyframe, by_image.sigma, config
    )
    return engine, fine.with_floor(config.image_error, depth) if fine.inliers >= 0.5 else None


def grid_pixels(size: tuple[int, int], stride: int) -> np.ndarray:
    """(N, 2) int pixels (x, y), `stride` apart."""
    y, x = np.mgrid[stride // 2 : size[0] : stride, stride // 2 : size[1] : stride]
    return np.stack((x.ravel(), y.ravel()), 1)


def _pairs(seen: Observation, view: View, keyframe: Keyframe, config: TrackingConfig) -> _Pairs:
    grid = grid_pixels(keyframe.size, config.stride)
    x, y = grid.T
    weight = keyframe.canonical.weight[y, x] / keyframe.canonical.folds
    enough = _SCARCE if much_moves(view.motion, keyframe.motion) else 1.0
    known = weight > enough * (config.min_confidence - 1)
    grid, weight = grid[known], weight[known]
    sigma = (1 if seen.pixels is not None else 2) * config.sigma_pixels / view.camera.fx
    pixels, rays, sure = _matched_pixels(seen, view, grid, config)
    still = stillness_at(view.motion, pixels[sure])
    there = np.flatnonzero(sure)[still > 0]
    weights = np.sqrt(weight[there] * still[still > 0] * keyframe.trust(grid[there]))
    weights *= len(weights) / max(float(weights.sum()), 1e-9)
    sightings = Sightings(grid[there], rays[there], weights, sigma)
    matched = len(there) / max(len(grid), 1) / _in_sight(view.motion)
    if seen.pixels is None:
        hit = _cells_hit(pixels[sure], seen.frame_size, config.stride)
        some = seen.frame_confidence[:: config.stride, :: config.stride]
        covered = hit / max(int((some > config.min_confidence).sum()), hit, 1)
        matched = min(matched, covered / _in_sight(view.motion))
    found = _Pairs(sightings, pixels[there], min(matched, 1.0))
    if seen.pixels_alike is None:
        return found
    x, y = sightings.pixels.T
    return found.only(seen.pixels_alike[y, x])


def _in_sight(motion: np.ndarray | None) -> float:
    """Share of the view that nothing hides which moves: what is behind that is not lost."""
    return max(1 - share_moving(motion), _LEAST_SIGHT)


def _cells_hit(pixels: np.ndarray, size: tuple[int, ...], side: int) -> int:
    """In how many square cells of an image (N, 2) pixels lie."""
    x, y = (pixels // side).astype(int).T
    across = size[1] // side + 1
    return int(np.count_nonzero(np.bincount(y * across + x)))


def _matched_pixels(
    seen: Observation, view: View, grid: np.ndarray, config: TrackingConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For keyframe pixels: pixels of the frame, unit rays there, and which can be relied on."""
    x, y = grid.T
    size = seen.frame_size
    if seen.pixels is not None and seen.pixels_confidence is not None:
        pixels = seen.pixels[y, x].astype(np.float64)
        sure = (seen.pixels_confidence[y, x] > config.min_confidence) & inside(pixels, size)
        return pixels, rays_at(pixels, view.camera), sure
    points = seen.keyframe_points[y, x].astype(np.float64)
    directions = unit(points)
    pixels, miss = match_rays(
        seen.frame_points, directions, project(points, view.camera), config.match_iterations
    )
    distance = np.linalg.norm(sample(seen.frame_points, pixels), axis=1)
    near = np.abs(distance / np.linalg.norm(points, axis=1) - 1) < _OCCLUDED
    sure = inside(pixels, size) & (miss < 5 / view.camera.fx) & near
    sure &= seen.keyframe_confidence[y, x] > config.min_confidence
    sure &= sample_nearest(seen.frame_confidence, pixels) > config.min_confidence
    return pixels, rays_at(pixels, view.camera) if view.calibrated else directions, sure


def _followed(
    seen: Observation, view: View, keyframe: Keyframe, T: np.ndarray, config: TrackingConfig
) -> Sightings | None:
    """Points followed on the images from where T_frame_keyframe puts them, if enough can be."""
    # Correspondences without depth of the engine's own stand by themselves.
    wanted = config.refine and (seen.pixels is None or (seen.monocular and view.calibrated))
    if view.texture is None or not wanted or not len(keyframe.texture.pixels):
        return None
    if view.texture.grey.shape != keyframe.texture.grey.shape:
        return None
    pixels = keyframe.texture.pixels
    x, y = pixels.astype(int).T
    known = keyframe.canonical.weight[y, x] > (config.min_confidence - 1) * keyframe.canonical.folds
    pixels, points = pixels[known], keyframe.canonical.points[y, x][known].astype(np.float64)
    expected = points @ T[:3, :3].T + T[:3, 3]
    start = project(expected, view.camera)
    if not view.calibrated:
        start, _ = match_rays(seen.frame_points, unit(expected), start, config.match_iterations)
    visible = inside(start, seen.frame_size, 8)
    pixels, start = pixels[visible], start[visible]
    found, good = follow(keyframe.texture, view.texture, pixels, start)
    good &= np.abs(found - start).max(1, initial=0) < _STRAYED
    if good.sum() < _MIN_FOLLOWED:
        return None
    still = stillness_at(view.motion, found[good])
    good, still = np.flatnonzero(good)[still > 0], still[still > 0]
    if len(good) < _MIN_FOLLOWED:
        return None
    there = found[good].astype(np.float64)
    if view.calibrated:
        rays = rays_at(there, view.camera)
    else:
        rays = unit(sample(seen.frame_points, there))
    sigma = config.sigma_pixels / view.camera.fx
    return Sightings(pixels[good].astype(int), rays, still.astype(np.float64), sigma)


def _parallax(matches: RayMatches, T: np.ndarray) -> float:
    """Median angle between the rays on which both views see a point."""
    here = unit(matches.points @ T[:3, :3].T)
    return median(np.linalg.norm(here - matches.rays, axis=1))
