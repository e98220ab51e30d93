# SPDX-License-Identifier: Apache-2.0
"""The mapper on whole sequences, against the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from dens3r_ros.engines.hybrid import HybridEngine
from dens3r_ros.engines.protocol import Engine
from dens3r_ros.evaluation.image_sequences.chaining import PairChain, chained_ate
from dens3r_ros.evaluation.image_sequences.darkness import Darkness
from dens3r_ros.evaluation.image_sequences.metres import MetricScores
from dens3r_ros.evaluation.image_sequences.pieces import pieces_at
from dens3r_ros.evaluation.image_sequences.plan import plan_figures
from dens3r_ros.evaluation.metrics.closing import end_error, wrong_loops
from dens3r_ros.evaluation.metrics.revisits import Visit, second_pass
from dens3r_ros.evaluation.metrics.surface import (
    FrameErrors,
    compare_surfaces,
    frame_errors,
    map_points,
    thinned,
    truth_points,
)
from dens3r_ros.evaluation.metrics.trajectory import TrajectoryErrors, compare
from dens3r_ros.evaluation.monocular_oracle import MonocularOracle
from dens3r_ros.evaluation.oracle.oracle import OracleEngine
from dens3r_ros.frame import Frame
from dens3r_ros.mapping.config import MapperConfig
from dens3r_ros.mapping.mapper import Mapper
from dens3r_ros.mapping.update import Update
from dens3r_ros.sources.source import Source, SourceError, Truth

_SURFACES = 20
"""Frames' true surfaces that are put together at a time."""


@dataclass(frozen=True)
class SequenceOptions:
    """calibrated: frames keep their intrinsics; every: take each N-th frame; confidence: above it
    a pixel counts; surface: compare the map with the true surface; chained: also chain pairwise
    poses, for comparison; maps_every: frames between those whose depth and normals are compared;
    camera_height: metres above the floor by which lengths become metres, 0 for none; grid: compare
    the floor plan, of walks in the procedural hall.
    A source's inertial sensor does so where it has one."""

    calibrated: bool = False
    every: int = 1
    confidence: float = 1.5
    surface: bool = True
    chained: bool = False
    maps_every: int = 5
    camera_height: float = 0.0
    grid: bool = False


@dataclass(frozen=True, eq=False)
class Measured:
    """One sequence's figures, and what plots show of them.

    stamps (N,) seconds; truth (N, 3) metres; depth_errors (M, 2): stamp and median relative error.
    """

    figures: dict[str, object]
    errors: TrajectoryErrors
    stamps: np.ndarray
    truth: np.ndarray
    depth_errors: np.ndarray
    timings: list[dict[str, float]]


class _Collector:
    """What is gathered while a sequence runs."""

    def __init__(self) -> None:
        self.updates: list[tuple[int, Update]] = []
        self.true_poses: dict[int, np.ndarray] = {}
        """T_world_camera by stamp, where it is known."""
        self.maps: list[tuple[int, FrameErrors]] = []
        self.dark = Darkness()
        self.surface: list[np.ndarray] = []
        self.skipped = 0

    def add_surface(self, points: np.ndarray) -> None:
        """True points, thinned as they come: whole sequences would take gigabytes."""
        self.surface.append(thinned(points))
        if len(self.surface) == _SURFACES:
            self.surface = [thinned(np.concatenate(self.surface))]

    @property
    def timings(self) -> list[dict[str, float]]:
        return [dict(update.timings) for _, update in self.updates]


def evaluate_sequence(
    source: Source,
    engine: Engine,
    config: MapperConfig,
    options: SequenceOptions,
    progress: Callable[[], None] = lambda: None,
) -> Measured:
    """Run the mapper over a source, and measure; `progress` is called after every frame."""
    indices = range(0, len(source), options.every)
    chain = PairChain(engine) if options.chained else None
    metres, collected = MetricScores(source, options.camera_height), _Collector()
    with Mapper(engine, config, gyroscope=metres.inertial) as mapper:
        for index, frame in _frames(source, indices, options):
            if _oracle(engine) and not _known(source.truth(index)):
                collected.skipped += 1
                continue
            metres.before(frame.stamp)
            update = mapper.step(frame)
            metres.after(update)
            _look(source, index, update, options, collected)
            if chain is not None:
                chain.add(frame)
            progress()
        mapper.finish()
        return _measured(source, engine, mapper, options, collected, chain, metres)


def _frames(
    source: Source, indices: range, options: SequenceOptions
) -> Iterator[tuple[int, Frame]]:
    for index in indices:
        frame = source[index]
        yield index, frame if options.calibrated else replace(frame, intrinsics=None)


def _oracle(engine: Engine) -> OracleEngine | MonocularOracle | None:
    """What of the engine looks at the truth."""
    seeing = engine.network if isinstance(engine, HybridEngine) else engine
    return seeing if isinstance(seeing, OracleEngine | MonocularOracle) else None


def _known(truth: Truth | None) -> bool:
    """Whether the oracle can see a frame."""
    return truth is not None and bool(np.isfinite(truth.depth).any())


def _look(
    source: Source, index: int, update: Update, options: SequenceOptions, into: _Collector
) -> None:
    """Compare what one frame shows; most frames' maps are left alone to save time."""
    into.updates.append((index, replace(update, maps=None)))
    truth, camera = source.truth(index), source[index].intrinsics
    into.dark.see(update.stamp, source[index].image)
    if truth is None:
        return
    into.true_poses[update.stamp] = truth.T_world_camera
    if len(into.updates) % options.maps_every != 1 % options.maps_every or not _known(truth):
        return
    if options.surface and camera is not None:
        into.add_surface(truth_points(truth, camera))
    if update.maps is not None:
        errors = frame_errors(update.maps, truth, camera, options.confidence)
        in_map = replace(errors, depth_ratio=errors.depth_ratio / update.scale)
        into.maps.append((index, in_map))


def _measured(
    source: Source,
    engine: Engine,
    mapper: Mapper,
    options: SequenceOptions,
    collected: _Collector,
    chain: PairChain | None,
    metres: MetricScores,
) -> Measured:
    placed, true_poses = mapper.trajectory(), collected.true_poses
    both = [pose for pose in placed if pose.stamp in true_poses]
    if not collected.updates or (placed and not both):
        raise SourceError(f"{source.name} has no true poses to compare with.")
    stamps = np.array([pose.stamp for pose in both]) * 1e-9
    wanted = np.array([true_poses[pose.stamp] for pose in both]).reshape(-1, 4, 4)
    found = np.array([pose.T_map_camera for pose in both]).reshape(-1, 4, 4)
    errors = compare(stamps, found, wanted)
    figures: dict[str, object] = {"sequence": source.name, "engine": engine.info.name}
    figures |= _counts(collected, len(placed))
    figures |= _trajectory_figures(errors) | collected.dark.figures(collected.updates, true_poses)
    figures |= metres.figures(stamps, found, wanted, errors)
    figures["end_error_m"] = end_error(found, wanted, errors.scale)
    figures["wrong_loops"] = _wrong_loops(mapper, true_poses, errors.scale)
    figures |= _map_figures(collected, errors.scale)
    figures["chamfer_m"] = _chamfer(mapper, collected, errors, options)
    hall = getattr(source, "hall", None) if options.grid else None
    if hall is not None:
        shown = mapper.keyframes()
        figures |= plan_figures(shown, hall, errors.S_world_map, options.confidence)
    figures |= _costs(collected)
    figures |= _second_pass(source, mapper, collected, errors, options)
    figures["calibrated"] = options.calibrated
    if chain is not None:
        figures["ate_chained_m"] = chained_ate(chain, true_poses)
    oracle = _oracle(engine)
    if oracle is not None:
        figures["oracle"] = oracle.description()
    if isinstance(oracle, OracleEngine):
        figures |= {"decodings": oracle.decodings, "encodings": oracle.encodings}
    if isinstance(engine, HybridEngine):
        figures |= {"network": engine.network.info.name, "network_runs": engine.runs}
    depth = [
        (index, np.median(np.abs(m.depth_ratio * errors.scale - 1)))
        for index, m in collected.maps
        if m.depth_ratio.size
    ]
    return Measured(
        figures, errors, stamps, wanted[:, :3, 3], np.array(depth).reshape(-1, 2), collected.timings
    )


def _counts(collected: _Collector, placed: int) -> dict[str, object]:
    last = collected.updates[-1][1].counters
    return {
        "frames": len(collected.updates),
        "decoded": last.decoded,
        "live": float(np.mean([u.T_map_camera is not None for _, u in collected.updates])),
        "frames_without_truth": collected.skipped,
        "keyframes": last.keyframes,
        "loops": last.loops,
        "pieces": last.pieces,
        "pieces_at": pieces_at(update for _, update in collected.updates),
        "epochs": 1 + collected.updates[-1][1].epoch,
        "completeness": placed / len(collected.updates),
    }


def _trajectory_figures(errors: TrajectoryErrors) -> dict[str, object]:
    names = ("path_m", "ate_sim3_m", "ate_se3_m", "scale", "rpe_m", "rpe_deg")
    return {name: getattr(errors, name) for name in names}


def _wrong_loops(mapper: Mapper, true_poses: Mapping[int, np.ndarray], scale: float) -> int:
    stamps = {keyframe.id: keyframe.stamp for keyframe in mapper.keyframes()}
    truth = {i: true_poses[stamp] for i, stamp in stamps.items() if stamp in true_poses}
    return wrong_loops(mapper.loops(), mapper.keyframe_poses(), truth, scale)


def _map_figures(collected: _Collector, scale: float) -> dict[str, object]:
    """Depth by the trajectory's scale, normals, and how much of the truth they cover."""
    maps = [errors for _, errors in collected.maps]
    ratios = [errors.depth_ratio * scale for errors in maps if errors.depth_ratio.size]
    angles = np.concatenate([errors.normal_degrees for errors in maps] or [np.zeros(0)])
    nothing = float("nan")
    return {
        "abs_rel": float(np.mean([np.abs(r - 1).mean() for r in ratios])) if ratios else nothing,
        "delta1": float(np.mean([(np.maximum(r, 1 / r) < 1.25).mean() for r in ratios]))
        if ratios
        else nothing,
        "normal_mean_deg": float(angles.mean()) if angles.size else nothing,
        "normal_median_deg": float(np.median(angles)) if angles.size else nothing,
        **{
            f"normal_{int(limit)}": float((angles < limit).mean()) if angles.size else nothing
            for limit in (11.25, 22.5, 30.0)
        },
        "coverage": float(np.mean([errors.coverage for errors in maps])) if maps else 0.0,
    }


def _chamfer(
    mapper: Mapper, collected: _Collector, errors: TrajectoryErrors, options: SequenceOptions
) -> float:
    if not collected.surface or not errors.errors.size:
        return float("nan")
    points = map_points(mapper.keyframes(), options.confidence)
    S = errors.S_world_map
    moved = points @ S[:3, :3].T + S[:3, 3]
    return compare_surfaces(moved, np.concatenate(collected.surface)).chamfer_m


def _second_pass(
    source: Source,
    mapper: Mapper,
    collected: _Collector,
    errors: TrajectoryErrors,
    options: SequenceOptions,
) -> dict[str, object]:
    """How much of what is seen again lies within 5 cm of where it was; and points compared."""
    index_of = {update.stamp: index for index, update in collected.updates}
    visits = []
    for view in mapper.keyframes() if options.surface and errors.errors.size else []:
        index = index_of.get(view.stamp, 0)
        truth, camera = source.truth(index), source[index].intrinsics
        if truth is not None and camera is not None and view.stamp in index_of:
            S = errors.S_world_map @ view.T_map_camera
            visits.append(Visit(view, S, truth, camera))
    share, count = second_pass(visits, mapper.config.loops.min_gap, options.confidence)
    return {"second_pass_5cm": share, "second_pass_points": count}


def _costs(collected: _Collector) -> dict[str, object]:
    """Mean milliseconds a frame by stage; frames a second of all stages together."""
    timings = collected.timings
    stages = sorted({stage for timing in timings for stage in timing})
    mean = {s: float(np.mean([timing.get(s, 0.0) for timing in timings])) for s in stages}
    whole = sum(mean.values())
    return {"frames_per_second": 1000 / whole if whole else float("nan"), "ms_per_frame": mean}
