# SPDX-License-Identifier: Apache-2.0
"""The mapper on sequences in which things move, once with and once without telling what moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from dens3r_ros.engines.protocol import Engine
from dens3r_ros.evaluation.engine_pixels import on_engine_pixels
from dens3r_ros.evaluation.metrics.surface import (
    compare_surfaces,
    map_points,
    thinned,
    truth_points,
)
from dens3r_ros.evaluation.metrics.trajectory import compare
from dens3r_ros.evaluation.moving.scores import MaskScore, mask_score
from dens3r_ros.evaluation.moving.truth import MaskFolder, TrueMotion, true_motion
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Update
from dens3r_ros.sources.source import Source, SourceError

_NEAR = 0.2
"""Metres: a map point so near to where a mover was seen, and to nothing that stands, is on it."""
_SURFACE_EVERY = 5


@dataclass(frozen=True)
class MotionOptions:
    """every: take each N-th frame; calibrated: frames keep their intrinsics; confidence: above it
    a map point counts; threshold: from this probability on a pixel is called moving."""

    every: int = 1
    calibrated: bool = True
    confidence: float = 1.5
    threshold: float = 0.5


class _Seen:
    """What is gathered while a sequence runs."""

    def __init__(self) -> None:
        self.poses: dict[int, np.ndarray] = {}
        self.scores: list[MaskScore] = []
        self.still: list[np.ndarray] = []
        self.movers: list[np.ndarray] = []
        self.states: list[bool] = []


@dataclass(frozen=True, eq=False)
class Run:
    """One run: error of the trajectory and of the surface, metres, share of map points that are on
    movers, share of frames with a pose, and the masks' scores."""

    ate: float
    chamfer: float
    on_movers: float
    live: float
    scores: list[MaskScore]


def evaluate_motion(
    source: Source,
    engine: Callable[[], Engine],
    config: MapperConfig,
    options: MotionOptions,
    masks: MaskFolder | None = None,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, object]:
    """One row of figures; `progress` is called after each frame of both runs."""
    on, off = (
        run_once(
            source,
            engine(),
            replace(config, motion=replace(config.motion, enabled=enabled)),
            options,
            masks,
            progress,
        )
        for enabled in (True, False)
    )
    return {
        "sequence": source.name,
        "j": _mean([score.j for score in on.scores]),
        "f": _mean([score.f for score in on.scores]),
        "static_lost": _mean([score.static_lost for score in on.scores]),
        "frames_judged": len(on.scores),
        "ate_sim3_m": on.ate,
        "ate_off_m": off.ate,
        "chamfer_m": on.chamfer,
        "chamfer_off_m": off.chamfer,
        "on_movers": on.on_movers,
        "on_movers_off": off.on_movers,
        "live": on.live,
        "live_off": off.live,
    }


def evaluate_clean(
    source: Source,
    engine: Callable[[], Engine],
    config: MapperConfig,
    options: MotionOptions,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, object]:
    """Figures of a sequence into which nobody was put, beside those of `evaluate_motion`."""
    run = run_once(source, engine(), config, options, None, progress)
    return {"ate_clean_m": run.ate, "chamfer_clean_m": run.chamfer, "live_clean": run.live}


def run_once(
    source: Source,
    engine: Engine,
    config: MapperConfig,
    options: MotionOptions,
    masks: MaskFolder | None,
    progress: Callable[[], None],
) -> Run:
    """The mapper over a source."""
    seen, before = _Seen(), None
    with Mapper(engine, config) as mapper:
        for number, index in enumerate(range(0, len(source), options.every)):
            frame = source[index]
            camera = frame.intrinsics if options.calibrated else None
            update = mapper.step(replace(frame, intrinsics=camera))
            seconds = 0.0 if before is None else (frame.stamp - before) * 1e-9
            before = frame.stamp
            wanted = (
                masks.at(frame.stamp, frame.size)
                if masks is not None
                else true_motion(source, index, seconds)
            )
            _judge(update, wanted, seen, options, first=number == 0)
            if number % _SURFACE_EVERY == 0:
                _add_surface(source, index, wanted, seen)
            truth = source.truth(index)
            if truth is not None:
                seen.poses[frame.stamp] = truth.T_world_camera
            seen.states.append(update.T_map_camera is not None)
            progress()
        mapper.finish()
        return _measured(source, mapper, seen, options)


def _judge(
    update: Update, wanted: TrueMotion | None, seen: _Seen, options: MotionOptions, first: bool
) -> None:
    """Compare one frame's mask, if there is one; of the first nothing can be known."""
    if wanted is None or first or update.maps is None or update.motion is None:
        return
    placement = update.maps.placement
    moving, far = (
        on_engine_pixels(mask.astype(np.float32), placement) > 0.5
        for mask in (wanted.moving, wanted.far)
    )
    found = update.motion >= options.threshold
    seen.scores.append(mask_score(found, TrueMotion(moving, moving & far)))


def _add_surface(source: Source, index: int, wanted: TrueMotion | None, seen: _Seen) -> None:
    """True points of what stands and of what moves, apart."""
    truth, camera = source.truth(index), source[index].intrinsics
    if truth is None or camera is None or not np.isfinite(truth.depth).any():
        return
    moving = np.zeros(truth.depth.shape, bool) if wanted is None else wanted.moving
    for into, kept in ((seen.still, ~moving), (seen.movers, moving)):
        part = replace(truth, depth=np.where(kept, truth.depth, np.float32(np.nan)))
        into.append(thinned(truth_points(part, camera)))


def _measured(source: Source, mapper: Mapper, seen: _Seen, options: MotionOptions) -> Run:
    placed = [pose for pose in mapper.trajectory() if pose.stamp in seen.poses]
    if not seen.states:
        raise SourceError(f"{source.name} holds no frames.")
    stamps = np.array([pose.stamp for pose in placed]) * 1e-9
    wanted = np.array([seen.poses[pose.stamp] for pose in placed]).reshape(-1, 4, 4)
    found = np.array([pose.T_map_camera for pose in placed]).reshape(-1, 4, 4)
    errors = compare(stamps, found, wanted)
    nan = float("nan")
    chamfer, on_movers = nan, nan
    if seen.still and errors.errors.size:
        S = errors.S_world_map
        points = map_points(mapper.keyframes(), options.confidence) @ S[:3, :3].T + S[:3, 3]
        still, movers = thinned(np.concatenate(seen.still)), thinned(np.concatenate(seen.movers))
        chamfer = compare_surfaces(points, still).chamfer_m
        on_movers = share_on_movers(points, still, movers)
    live = float(np.mean(seen.states))
    return Run(errors.ate_sim3_m, chamfer, on_movers, live, seen.scores)


def share_on_movers(points: np.ndarray, still: np.ndarray, movers: np.ndarray) -> float:
    """Of map points (N, 3), those near to where a mover was seen and to nothing that stands."""
    if not len(points):
        return float("nan")
    if not len(movers):
        return 0.0
    near = cKDTree(movers).query(points, distance_upper_bound=_NEAR)[0] < _NEAR
    alone = ~np.isfinite(cKDTree(still).query(points[near], distance_upper_bound=_NEAR)[0])
    return float(alone.sum() / len(points))


def _mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
